"""A batch of examples: what the model reads, and what it should say. Imports numpy and no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

IGNORED = -100
"""The target of a position from which nothing is learned (torch's default `ignore_index`)."""

Attention = Literal["causal", "bidirectional"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tokens:
    """A text as builders and evaluators see it: an end-of-text id, then every document followed by one.

    Args:
        ids: (N,) unsigned, often memory-mapped.
        starts: (documents + 1,) int64: the place of the end-of-text id that opens each document, and of the last one. Document
            `i` is `ids[starts[i] + 1 : starts[i + 1]]`, and the id at `starts[i + 1]` ends it.
        learn: (N,) bool, which ids are learned; None when all are. False for the prompt where only the answer is learned.
        sources: (documents,) int64, a number for each document's source; None when there is one source.
    """

    ids: npt.NDArray[np.unsignedinteger[Any]]
    starts: npt.NDArray[np.int64]
    learn: npt.NDArray[np.bool_] | None = None
    sources: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Number of ids, end-of-text ids included."""
        return len(self.ids)

    @classmethod
    def of(cls, ids: npt.NDArray[Any], end_of_text: int) -> Tokens:
        """Make it of ids alone, by looking for the end-of-text ids: for tests and texts without an index of documents."""
        return cls(ids=ids, starts=np.flatnonzero(np.asarray(ids) == end_of_text).astype(np.int64))


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Examples, side by side.

    Rows have one length. A shorter example is padded behind its end: any id of the vocabulary in
    the inputs (by custom the end of text), `IGNORED` in the targets. Causal models never see such
    padding; for bidirectional ones give it a segment of its own, the last of the row, or it is
    attended.

    Args:
        inputs: (B, T) int64, what the model reads.
        targets: (B, T) int64, what it should say at each position, or `IGNORED`.
        segments: (B, T) int64, the number of the document that each position belongs to, counted from 0 in each row and
            never falling; nothing is attended or carried across a change of it. None when every row is one document.
        weights: (B, T) float32, how much each target counts; None when every one counts 1.
        extra: named arrays for the builder's own objective (a rejected answer, a reward): first dimension B, so that they are
            cut into micro-batches with the rows.
    """

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    segments: npt.NDArray[np.int64] | None = None
    weights: npt.NDArray[np.float32] | None = None
    extra: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


def segments_of(inputs: npt.NDArray[np.int64], end_of_text: int) -> npt.NDArray[np.int64] | None:
    """Number the documents in each row: an end-of-text id opens the next document, which is predicted from it.

    Args:
        inputs: (B, T).
        end_of_text: the separating id.

    Returns:
        (B, T) counted from 0 in each row, or None when no row holds two documents.
    """
    opens = inputs[:, 1:] == end_of_text
    if not opens.any():
        return None
    segments = np.zeros(inputs.shape, dtype=np.int64)
    np.cumsum(opens, axis=1, out=segments[:, 1:])
    return segments


def pairs(batch: Batch, end_of_text: int) -> Iterator[tuple[list[int], int]]:
    """Yield what a causal batch teaches as textbooks draw it: the tokens looked back at, and the one learned from them.

    The end-of-text that opens a document is left out of the first: `[1212, 318, 502, 3047] -> 257`.
    """
    segments = np.zeros_like(batch.inputs) if batch.segments is None else batch.segments
    for row, column in np.argwhere(batch.targets != IGNORED):
        start = int(np.searchsorted(segments[row], segments[row, column]))
        start += int(batch.inputs[row, start] == end_of_text)
        yield batch.inputs[row, start : column + 1].tolist(), int(batch.targets[row, column])
