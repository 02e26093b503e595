"""Rows of whole documents, in which every position learns the next token: best-fit packing.

Ding et al., Fewer Truncations Improve Language Modeling, 2024. A document that fits into a row is never cut, so that what it
says later is always learned with what it said before. A longer one is cut into pieces of a row's length and a rest, which is
packed as a short document is.

- The documents of a row are segments. Behind them a row is filled up with ends of text, a segment of their own from which
  nothing is learned.
- One pass learns every token of the text exactly once. The order of the rows is drawn anew for each pass; with `repack` the
  rows are too.
"""

from __future__ import annotations

import weakref

import numpy as np
import numpy.typing as npt

from pentad import IGNORED, Batch, ExampleBuilder, PackedRows, Tokens, pack_documents, shuffled
from pentad_next_token.options import NextTokenOptions
from pentad_next_token.repacking import repacked

_KEPT = 2
"""Passes whose rows are kept: a batch may end one and begin the next."""


class BestFit(ExampleBuilder):
    """Rows of whole documents."""

    def __init__(self, options: NextTokenOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        del vocab_size
        self.repack = options.repack
        self.context_length = context_length
        self.end_of_text = end_of_text
        self._rows: weakref.WeakKeyDictionary[Tokens, PackedRows] = weakref.WeakKeyDictionary()
        self._repacked: weakref.WeakKeyDictionary[Tokens, dict[tuple[int, int], PackedRows]] = weakref.WeakKeyDictionary()

    def count(self, tokens: Tokens) -> int:
        """Return the rows of all documents."""
        return len(self._packed(tokens))

    def describe(self, tokens: Tokens) -> str:
        """Say how much is padding, and how many documents are cut."""
        cut = int((np.diff(tokens.starts) > self.context_length).sum())
        return f"best-fit packing, {self._packed(tokens).padding:.1%} padding, {cut} of {len(tokens.starts) - 1} documents cut"

    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return rows (B, T) and what comes next at each of their positions (B, T)."""
        packed = self._packed(tokens)
        passes, rows = shuffled(indices, len(packed), seed)
        shape = (len(indices), self.context_length)
        inputs = np.full(shape, self.end_of_text, dtype=np.int64)
        targets, segments = np.full(shape, IGNORED, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        ids, learn = np.asarray(tokens.ids), None if tokens.learn is None else np.asarray(tokens.learn)
        for at, (number_of_pass, row) in enumerate(zip(passes.tolist(), rows.tolist(), strict=True)):
            place = 0
            for number, (first, end) in enumerate(self._of_pass(tokens, number_of_pass, seed).pieces(row)):
                taken = slice(place, place + end - first)
                inputs[at, taken] = ids[first:end]
                targets[at, taken] = ids[first + 1 : end + 1]
                if learn is not None:
                    targets[at, taken][~learn[first + 1 : end + 1]] = IGNORED
                place = taken.stop
                segments[at, place:] = number + 1  # of what follows, be it padding
        return Batch(inputs=inputs, targets=targets, segments=segments if segments.any() else None)

    def _of_pass(self, tokens: Tokens, number: int, seed: int | None) -> PackedRows:
        """Return the rows of a pass; without a seed they are those in which the documents come in the order of the text."""
        packed = self._packed(tokens)
        if seed is None or not self.repack:
            return packed
        kept = self._repacked.setdefault(tokens, {})
        if (seed, number) not in kept:
            kept[seed, number] = repacked(packed, np.asarray(tokens.starts, dtype=np.int64), seed, number)
            for old in list(kept)[:-_KEPT]:
                del kept[old]
        return kept[seed, number]

    def _packed(self, tokens: Tokens) -> PackedRows:
        if tokens not in self._rows:
            self._rows[tokens] = pack_documents(tokens.starts, self.context_length)
        return self._rows[tokens]
