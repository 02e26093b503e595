"""A batch of examples: what the model reads, and what it should say. Imports numpy and no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.unsignedinteger[Any]]
"""A text as the builder sees it: (N,), often memory-mapped; an end-of-text id, then every document followed by one."""

IGNORED = -100
"""The target of a position from which nothing is learned (torch's default `ignore_index`)."""

Attention = Literal["causal", "bidirectional"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Examples, side by side.

    Args:
        inputs: (B, T) int64, what the model reads.
        targets: (B, T) int64, what it should say at each position, or `IGNORED`.
        segments: (B, T) int64, the number of the document that each position belongs to, counted from 0 in each row and
            never falling; nothing is attended or carried across a change of it. None when every row is one document.
    """

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    segments: npt.NDArray[np.int64] | None = None


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
