"""Shakespeare's plays as one document: tinyshakespeare, the text of char-rnn (Karpathy, 2015) and nanoGPT.

The text is in the public domain. It is one document, so that its last tenth is held out, byte for byte as in nanoGPT: the
first 1,003,854 of its 1,115,394 bytes are for training. It is ASCII, and stands in this package compressed by xz.
"""

from __future__ import annotations

from collections.abc import Iterator

from pentad import read_packaged

SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
"""Of the text as char-rnn published it."""

SIZE = 1_115_394
"""Bytes of the text."""


def documents() -> Iterator[str]:
    """Yield the text, as one document.

    Raises:
        EngineError: the file in the package is missing or not the published text.
    """
    yield read_packaged(__package__, "tinyshakespeare.txt.xz", size=SIZE, sha256=SHA256).decode("ascii")
