"""Shakespeare's plays as one document: tinyshakespeare, the text of char-rnn (Karpathy, 2015) and nanoGPT.

The text is in the public domain. It is one document, so that its last tenth is held out, byte for byte as in nanoGPT: the
first 1,003,854 of its 1,115,394 bytes are for training. It is ASCII, and stands in this package compressed by xz.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import lzma
from collections.abc import Iterator

from pentad import EngineError

SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
"""Of the text as char-rnn published it."""

SIZE = 1_115_394
"""Bytes of the text."""


def documents() -> Iterator[str]:
    """Yield the text, as one document.

    Raises:
        EngineError: the file in the package is missing or not the published text.
    """
    try:
        packed = importlib.resources.files(__package__).joinpath("tinyshakespeare.txt.xz").read_bytes()
        raw = lzma.LZMADecompressor(memlimit=16 * 1024**2).decompress(packed, max_length=SIZE + 1)
    except (OSError, lzma.LZMAError) as error:
        raise EngineError(
            f"Shakespeare's plays cannot be read from the package: {error}.", _REINSTALL, code="package-damaged"
        ) from None
    if hashlib.sha256(raw).hexdigest() != SHA256:
        raise EngineError(
            "The text of Shakespeare's plays in the package is damaged: its SHA-256 is not the published one.",
            _REINSTALL,
            code="package-damaged",
        )
    yield raw.decode("ascii")


_REINSTALL = "Reinstall it: pip install --force-reinstall pentad-shakespeare"
