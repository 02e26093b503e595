"""Distinct n-grams and how often each was seen.

An n-gram is a row of ids: the nearest token of its context first, the farthest, then the token that follows. Where a row of the
batch begins in the middle of a document, what stood before is `UNKNOWN`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pentad import EngineError

UNKNOWN = -1
"""Stands for what the model was not shown: the context ends there."""

KEY_BITS = 62


def contexts(inputs: Tensor, width: int, end_of_text: int | None, boundary: int, segments: Tensor | None = None) -> Tensor:
    """Return what stands up to each position, nearest first.

    Args:
        inputs: (B, T).
        width: how many tokens W are looked back on, the position's own included.
        end_of_text: the id that opens a document; what stands before it does not count.
        boundary: the id that stands for whatever is before a document.
        segments: (B, T), or None.

    Returns:
        (B, T, W) ids: `UNKNOWN` before the row and before the segment, `boundary` before an end of text.
    """

    def windows(of: Tensor, fill: int) -> Tensor:
        padded = torch.cat([of.new_full((len(of), width - 1), fill), of], dim=1)
        return padded.unfold(1, width, 1).flip(-1)  # (B, T, W), nearest first

    found = windows(inputs, UNKNOWN)
    if segments is not None:
        found = found.where(windows(segments, -1) == segments[..., None], UNKNOWN)
    if end_of_text is None:
        return found.contiguous()
    opens = found == end_of_text
    return found.masked_fill(opens.cumsum(-1) > opens.long(), boundary)


def summed(rows: Tensor, counts: Tensor, base: int) -> tuple[Tensor, Tensor]:
    """Return each distinct row once, with the sum of its counts.

    Args:
        rows: (N, C) ids from -1 to base - 2.
        counts: (N,).
        base: see there.
    """
    _, which = torch.unique(_keys(rows, base), return_inverse=True)
    number = int(which.max()) + 1 if len(which) else 0
    distinct = rows.new_empty(number, rows.shape[1])
    distinct[which] = rows  # equal ones over each other
    return distinct, counts.new_zeros(number).index_add_(0, which, counts)


def refuse_damaged(rows: Tensor, counts: Tensor, order: int, n_ids: int) -> None:
    """Make sure that loaded counts could have been made by counting.

    Args:
        rows: n-grams, which should be (K, order).
        counts: which should be (K,), 1 or more.
        order: tokens of an n-gram.
        n_ids: ids that are counted; as an id of a context it is the boundary of a document.

    Raises:
        EngineError: they could not.
    """
    fit = rows.ndim == 2 and rows.shape[1] == order and counts.shape == rows.shape[:1]
    if fit and len(rows):
        fit = int(rows.min()) >= UNKNOWN and int(rows.max()) <= n_ids and int(counts.min()) > 0
        fit = fit and int(rows[:, -1].min()) >= 0 and int(rows[:, -1].max()) < n_ids
    if not fit:
        raise EngineError(
            f"Counts must be n-grams of {order} ids below {n_ids:,} and how often each was seen; found others in the file.",
            "Use a copy of the run.",
            code="file-damaged",
        )


def _keys(rows: Tensor, base: int) -> Tensor:
    """Return a number (N,) for each row, equal where the rows are.

    As many ids as fit into 62 bits make a word; where there are several words, their ranks are put together, so that
    neither the order nor the vocabulary has a bound.
    """
    at_once = max(1, int(KEY_BITS / math.log2(base)))
    key: Tensor | None = None
    for start in range(0, rows.shape[1], at_once):
        word = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
        for column in rows[:, start : start + at_once].unbind(1):
            word = word * base + column + 1
        key = word if key is None else _ranks(key) * len(rows) + _ranks(word)
    assert key is not None
    return key


def _ranks(key: Tensor) -> Tensor:
    ranks: Tensor = torch.unique(key, return_inverse=True)[1]
    return ranks
