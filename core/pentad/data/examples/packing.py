"""Documents into rows: cut where they are longer than a row, and packed so that few positions are padding.

Concatenating documents and cutting the stream wherever a row is full wastes nothing, and cuts most of the documents that a row
begins or ends with. Best-fit packing cuts only those that are longer than a row, and fits the pieces together: each, from the
longest to the shortest, goes into the fullest row that has room for it (best-fit decreasing; for language models: Ding et al.,
Fewer Truncations Improve Language Modeling, 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PackedRows:
    """Pieces of documents in rows: those of a row in the order of the text, the rows in the order of their first pieces.

    Args:
        first, end: (N,) each piece reads the ids from `first` to before `end`, and learns those from `first + 1` to `end`.
        borders: (rows + 1,) row `i` has the pieces from `borders[i]` to before `borders[i + 1]`.
        room: positions of a row.
        taken: positions that pieces take in all.
    """

    first: _Integers
    end: _Integers
    borders: _Integers
    room: int
    taken: int

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.borders) - 1

    def pieces(self, row: int) -> list[tuple[int, int]]:
        """Return `first` and `end` of each piece of a row."""
        part = slice(int(self.borders[row]), int(self.borders[row + 1]))
        return list(zip(self.first[part].tolist(), self.end[part].tolist(), strict=True))

    @property
    def padding(self) -> float:
        """The share of all positions that no piece takes."""
        return 1 - self.taken / max(len(self) * self.room, 1)


def pack_documents(
    starts: _Integers, room: int, longest: int | None = None, cost: Callable[[_Integers], _Integers] | None = None
) -> PackedRows:
    """Cut documents into pieces, and pack the pieces into rows by best fit.

    Args:
        starts: (documents + 1,) as `Tokens.starts`.
        room: positions of a row.
        longest: ids that a piece reads at most; None for a row's.
        cost: positions that pieces of given lengths (N,) take in a row; as many as they have ids where it is None.
    """
    longest = longest or room
    starts = np.asarray(starts, dtype=np.int64)
    lengths = np.diff(starts)
    counts = -(-lengths // longest)
    number = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)  # of the piece in its document
    first = np.repeat(starts[:-1], counts) + number * longest
    end = np.minimum(first + longest, np.repeat(starts[1:], counts))
    costs = end - first if cost is None else cost(end - first)
    rows = _best_fit(costs, room)
    order = np.lexsort((first, rows))
    first_of_row = np.full(int(rows.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first_of_row, rows, first)
    order = order[np.argsort(first_of_row[rows[order]], kind="stable")]
    borders = np.concatenate([[0], np.flatnonzero(np.diff(rows[order])) + 1, [len(order)]] if len(order) else [[0]])
    return PackedRows(first[order], end[order], borders.astype(np.int64), room, int(costs.sum()))


def _best_fit(costs: _Integers, room: int) -> _Integers:
    """Return the row (N,) of each piece, by best-fit decreasing.

    Which numbers of free positions some row has is kept as bits of one integer, so that the fullest row that has room is found
    in a few operations however many rows there are.
    """
    open_rows: list[list[int]] = [[] for _ in range(room + 1)]  # by free positions
    rows, free, count = np.zeros(len(costs), dtype=np.int64), 0, 0
    for piece in np.argsort(-costs, kind="stable").tolist():
        size = int(costs[piece])
        fitting = free >> size
        if fitting:
            space = size + (fitting & -fitting).bit_length() - 1
            row = open_rows[space].pop()
            free ^= 0 if open_rows[space] else 1 << space
        else:
            row, space, count = count, room, count + 1
        rows[piece] = row
        if left := space - size:
            open_rows[left].append(row)
            free |= 1 << left
    return rows
