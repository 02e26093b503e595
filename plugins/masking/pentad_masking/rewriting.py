"""Builders that rewrite documents: pieces of documents, packed into rows by best fit, each in an order of its own to read.

A document that fits into a row stays whole; a longer one is cut into pieces, each rewritten by itself ("context-level" in
Bavarian et al., 2022). The pieces of a row are segments. The rows have the same pieces in each pass; what is done to them is
drawn anew.
"""

from __future__ import annotations

import weakref
from abc import abstractmethod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pentad import IGNORED, Batch, ExampleBuilder, PackedRows, Tokens, pack_documents, shuffled

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Sequence(NamedTuple):
    """What a piece has become: ids (N + 1,), each but the last is read, and which of them are learned from those before."""

    ids: Integers
    learn: Flags


class Piece(NamedTuple):
    """A piece of a document.

    Args:
        plain: as next-token reads it: what stands before it (an end of text where a document begins), the text, and the end of
            text where the document ends.
        text: the text alone.
        ends: whether the document ends with it.
        words: (W,) its random numbers, which `RewritingBuilder.words` draws.
    """

    plain: Sequence
    text: Sequence
    ends: bool
    words: npt.NDArray[np.uint64]


class RewritingBuilder(ExampleBuilder):
    """Rows of pieces; a subclass says what becomes of each."""

    longest: int
    """Ids that a piece reads at most, so that it fits into a row once it is rewritten; below 1 when none does."""

    def __init__(self, context_length: int, end_of_text: int) -> None:
        self.context_length, self.end_of_text = context_length, end_of_text
        self._rows: weakref.WeakKeyDictionary[Tokens, PackedRows] = weakref.WeakKeyDictionary()

    @abstractmethod
    def cost(self, lengths: Integers) -> Integers:
        """Return the positions that pieces which read so many ids (N,) take at most."""

    @abstractmethod
    def words(self, seed: int, *where: Integers) -> npt.NDArray[np.uint64]:
        """Draw the random numbers (P, W) of pieces: all at once, as few calls take less time than many.

        Args:
            seed: of the run.
            where: pass (P, 1) and place in the text (P, 1) of each piece, which decide them.
        """

    @abstractmethod
    def rewrite(self, piece: Piece) -> Sequence:
        """Return what becomes of a piece."""

    def positions(self, length: int) -> int:
        """Return the positions that a row needs for a document, however it is rewritten."""
        return int(self.cost(np.array([length]))[0])

    def count(self, tokens: Tokens) -> int:
        """Return the rows of all documents."""
        return len(self.packed(tokens))

    def packed(self, tokens: Tokens) -> PackedRows:
        """Return the pieces of a text in rows."""
        if tokens not in self._rows:
            starts = tokens.starts if self.longest >= 1 else tokens.starts[:1]
            self._rows[tokens] = pack_documents(starts, self.context_length, max(self.longest, 1), self.cost)
        return self._rows[tokens]

    def build(self, tokens: Tokens, indices: Integers, seed: int | None) -> Batch:
        """Return rows (B, T) and what is learned at each of their positions (B, T)."""
        packed = self.packed(tokens)
        passes, rows = shuffled(indices, len(packed), seed)
        shape = (len(indices), self.context_length)
        inputs = np.full(shape, self.end_of_text, dtype=np.int64)
        targets, segments = np.full(shape, IGNORED, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        pieces = [packed.pieces(row) for row in rows.tolist()]
        where = [(number, first) for number, row in zip(passes.tolist(), pieces, strict=True) for first, _ in row]
        drawn = iter(self.words(seed or 0, *np.array(where).T[:, :, None]))
        for at, row in enumerate(pieces):
            place = 0
            for index, (first, end) in enumerate(row):
                ids, learn = self.rewrite(self._piece(tokens, first, end, next(drawn)))
                taken = slice(place, place + len(ids) - 1)
                inputs[at, taken] = ids[:-1]
                targets[at, taken] = np.where(learn[1:], ids[1:], IGNORED)
                place = taken.stop
                segments[at, place:] = index + 1  # of what follows, be it padding
        return Batch(inputs=inputs, targets=targets, segments=segments if segments.any() else None)

    def _piece(self, tokens: Tokens, first: int, end: int, words: npt.NDArray[np.uint64]) -> Piece:
        ids = np.asarray(tokens.ids[first : end + 1]).astype(np.int64)
        learn = np.ones(len(ids), dtype=np.bool_) if tokens.learn is None else np.array(tokens.learn[first : end + 1])
        ends = bool(ids[-1] == self.end_of_text)
        inside = slice(1, len(ids) - ends)
        return Piece(Sequence(ids, learn), Sequence(ids[inside], learn[inside]), ends, words)

    def closing(self, piece: Piece) -> Sequence:
        """Return the end of text that ends what was rewritten: learned, unless it is a document's whose end is not."""
        learn = bool(piece.plain.learn[-1]) if piece.ends else True
        return Sequence(np.array([self.end_of_text]), np.array([learn]))


def join(*parts: Sequence | int) -> Sequence:
    """Return sequences one after the other; an id alone is one that is read and not learned."""
    found = [Sequence(np.array([part]), np.array([False])) if isinstance(part, int) else part for part in parts]
    return Sequence(np.concatenate([part.ids for part in found]), np.concatenate([part.learn for part in found]))


def around_gap(before: Integers, after: Integers, room: int) -> tuple[Integers, Integers]:
    """Return as much of two texts as fits into so many positions, what stands nearest to the gap between them."""
    room = max(room, 2)
    rest = max(room - len(before), room // 2)
    after = after[:rest]
    return before[max(0, len(before) - (room - len(after))) :], after
