"""Rows of pairs: two documents for each, the preferred answer first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pentad import IGNORED, Tokens

Ids = npt.NDArray[np.int64]


def count_pairs(tokens: Tokens) -> int:
    """Return the number of pairs of a text."""
    return max(0, len(tokens.starts) - 1) // 2


def rows_of(tokens: Tokens, documents: Ids, length: int, end_of_text: int) -> tuple[Ids, Ids]:
    """Return inputs and targets (B, T) of documents (B,); of one that is longer than a row, the end, where the answer is."""
    first, end = tokens.starts[documents], tokens.starts[documents + 1]  # (B,): the ends' ids are targets
    at = np.maximum(first, end - length)[:, None] + np.arange(length)  # (B, T)
    inside = at < end[:, None]
    at = np.minimum(at, end[:, None] - 1)
    ids = np.asarray(tokens.ids)
    learned = inside if tokens.learn is None else inside & np.asarray(tokens.learn)[at + 1]
    inputs = np.where(inside, ids[at].astype(np.int64), end_of_text)
    return inputs, np.where(learned, ids[at + 1].astype(np.int64), IGNORED)


def last_places(tokens: Tokens, documents: Ids, length: int) -> Ids:
    """Return the column (B,) of the last token of documents (B,) in the rows that `rows_of` makes of them."""
    first, end = tokens.starts[documents], tokens.starts[documents + 1]
    last: Ids = np.minimum(end - first, length) - 1
    return last
