"""Ids 0 to 255 are the bytes of the text's UTF-8, 256 is the end of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pentad import END_OF_TEXT, EngineError, NoOptions, TokenIds, Tokenizer, utf8

_FILE = "byte.txt"
_CONTENT = "ids 0 to 255 are the bytes, 256 is <|endoftext|>\n"


class Byte(Tokenizer):
    """Text as its UTF-8 bytes."""

    def __init__(self, options: NoOptions) -> None:
        del options

    @property
    def vocab_size(self) -> int:
        """257: the bytes and the end of text."""
        return 257

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """The end of text, 256."""
        return {END_OF_TEXT: 256}

    def train(self, texts: Iterable[str]) -> None:
        """Do nothing: there is nothing to learn."""

    def encode(self, text: str) -> TokenIds:
        """Return the text's bytes as ids (T,)."""
        return np.frombuffer(utf8(text), dtype=np.uint8).astype(np.uint32)

    def encode_batch(self, texts: Sequence[str]) -> list[TokenIds]:
        """Encode many texts one after the other: this copies memory and nothing else, which threads only slow down."""
        return [self.encode(text) for text in texts]

    def token_bytes(self, token: int) -> bytes:
        """Return the one byte of an id; none for the end of text."""
        return b"" if token == 256 else bytes([token])

    def decode_bytes(self, tokens: Iterable[int]) -> bytes:
        """Return the bytes of the tokens, special tokens left out."""
        ids = tokens if isinstance(tokens, np.ndarray) else np.fromiter(tokens, dtype=np.int64)
        return bytes(ids[ids != 256].astype(np.uint8))

    def save(self, folder: Path) -> None:
        """Write a file that says what the ids mean; `load` needs it only to know whose folder it is."""
        (folder / _FILE).write_text(_CONTENT, encoding="utf-8", newline="\n")

    def load(self, folder: Path) -> None:
        """Check that the folder was written by this tokenizer.

        Raises:
            EngineError: it was not.
        """
        path = folder / _FILE
        try:
            found = path.read_bytes()
        except OSError as error:
            raise EngineError(
                f"Expected a saved byte tokenizer at {path}: {error.strerror}.",
                "Check the folder.",
                code="saved-file-unreadable",
            ) from None
        if found != _CONTENT.encode():
            raise EngineError(
                f"The saved byte tokenizer at {path} is damaged.", "Make the run again.", code="tokenizer-damaged"
            )
