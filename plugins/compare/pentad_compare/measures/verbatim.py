"""Which passages of a text occur verbatim in the training text: a suffix array over its bytes (Manber and Myers 1990).

The array is built and searched by pydivsufsort (libdivsufsort): about 4 s and 4 bytes of memory beside each byte of text for
50 MB, then some 30 ms for a text of 1 KB.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from pydivsufsort import divsufsort, sa_search

from pentad.tools import Piece

LEAST_BYTES = 50
"""A shorter passage is not counted: phrases of a few words occur in every large text."""

MOST_BYTES = 256 * 1024**2
"""The longest training text that is searched: with its suffix array it takes five times its size of memory."""

_BETWEEN = b"\xff"
"""Separates documents: no UTF-8 text has this byte, so no passage crosses from one into the next."""


class SuffixArray:
    """The suffix array of a training text, to search it for passages of other texts.

    Args:
        text: UTF-8 documents, with a byte 0xFF between them.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._suffixes = divsufsort(text) if text else np.empty(0, dtype=np.int32)
        self._lengths: dict[bytes, npt.NDArray[np.int64]] = {}

    @classmethod
    def of(cls, pieces: Iterable[Piece], most_bytes: int = MOST_BYTES) -> tuple[SuffixArray | None, str]:
        """Read a training text.

        A longer text than `most_bytes` is refused rather than sampled: the share of a sample would come out too low, and
        would mean something else with every text.

        Returns:
            The suffix array and an empty text; or None and the reason.
        """
        text = bytearray()
        for piece in pieces:
            text += piece.text.encode()
            if len(text) > most_bytes:
                return None, f"passages from the training text are not looked for: it is longer than {most_bytes:,} bytes"
            if piece.ends_document:
                text += _BETWEEN
        return cls(bytes(text)), ""

    def __contains__(self, passage: bytes) -> bool:
        """Say whether a document of the training text holds a passage."""
        if not passage or not self._text or _BETWEEN in passage:
            return not passage
        return bool(sa_search(self._text, self._suffixes, passage)[0])

    def longest_from(self, text: bytes) -> npt.NDArray[np.int64]:
        """Return for every position (N,) of a text the bytes of the longest passage from there that the training text holds.

        A passage that starts one byte later ends no earlier, so both ends only move forward: at most 2N searches.
        """
        if text not in self._lengths:
            self._lengths[text] = self._search(text)
        return self._lengths[text]

    def share(self, text: bytes, least: int = LEAST_BYTES) -> float:
        """Return the share of a text's bytes in passages of at least `least` bytes; 0 for an empty text."""
        lengths = self.longest_from(text)
        starts = np.flatnonzero(lengths >= max(least, 1))
        edges = np.zeros(len(text) + 1, dtype=np.int64)
        np.add.at(edges, starts, 1)
        np.add.at(edges, starts + lengths[starts], -1)
        return float((edges.cumsum() > 0).sum() / max(len(text), 1))

    def longest(self, text: bytes) -> bytes:
        """Return the longest passage of a text that the training text holds, the first one of several."""
        lengths = self.longest_from(text)
        if not len(lengths):
            return b""
        start = int(lengths.argmax())
        return text[start : start + int(lengths[start])]

    def _search(self, text: bytes) -> npt.NDArray[np.int64]:
        lengths = np.zeros(len(text), dtype=np.int64)
        end = 0
        for start in range(len(text)):
            end = max(end, start)
            while end < len(text) and text[start : end + 1] in self:
                end += 1
            lengths[start] = end - start
        return lengths
