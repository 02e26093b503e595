"""Zstandard files, of one frame or many, decompressed as they are read."""

from __future__ import annotations

import sys
from typing import BinaryIO, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LONGEST_WINDOW_LOG = 31
"""Files of `zstd --long=31` need a window of 2 GiB; the library's own limit is 128 MiB."""


def open_zstd(file: BinaryIO) -> BinaryIO:
    """Return a file that yields the plain bytes; reading a truncated one raises EOFError."""
    options = {int(zstd.DecompressionParameter.window_log_max): LONGEST_WINDOW_LOG}
    return cast(BinaryIO, zstd.ZstdFile(file, options=options))


def example() -> bytes:
    """Return a small file, with which `engine plugins check` tests the decompressor."""
    return zstd.compress("Größe matters.\r\n".encode() * 20)
