"""The rows of best-fit packing, drawn anew for a pass: cuts elsewhere, other neighbours, the same number of rows.

A document that is longer than a row is whole rows and a rest. In a pass its first whole row begins after a number of tokens
that is drawn, from none to the rest's; what stands before it and what is left at the end share the place of the rest, as two
pieces. Then pieces of one length change places. So every row is as full as it was, and a pass learns every token once.

No paper has it: it gives the rows of Ding et al., 2024, what windows of a stream have where they begin elsewhere in each pass.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from pentad import PackedRows, random_words

_Integers = npt.NDArray[np.int64]

_CUTS, _PLACES = 0xC075, 0x97ACE5
"""Keep their random numbers apart from each other's and from those of the order."""


def repacked(packed: PackedRows, starts: _Integers, seed: int, number: int) -> PackedRows:
    """Return other rows of the same documents.

    Args:
        packed: the rows; where a document has several pieces, only the last is shorter than a row.
        starts: (documents + 1,) as `Tokens.starts`.
        seed: of the run.
        number: of the pass over the text, from 0.
    """
    in_text = np.argsort(packed.first, kind="stable")  # the pieces of a document one after the other
    first, end = packed.first[in_text], packed.end[in_text]
    sizes, document = end - first, np.searchsorted(starts, first, side="right") - 1
    rests = np.append(np.diff(document) > 0, True)  # (N,) whether a piece is the last of its document
    rest = np.repeat(sizes[rests], np.diff(np.flatnonzero(rests), prepend=-1))  # (N,) how long that last piece is
    before = (random_words(seed, _CUTS, number, document) % (rest + 1).astype(np.uint64)).astype(np.int64)
    before[sizes == np.diff(starts)[document]] = 0  # documents of one piece stay whole
    opening = np.where(rests, before, 0)  # what a rest's place holds of the document's beginning
    pieces = np.stack([starts[document], starts[document] + opening, first + before, end + np.where(rests, 0, before)])
    keys = random_words(seed, _PLACES, number, np.arange(len(sizes)))
    places = np.empty((len(sizes), 4), dtype=np.int64)
    places[np.argsort(packed.end - packed.first, kind="stable")] = pieces.T[np.lexsort((keys, sizes))]
    return _of_places(packed, places.reshape(-1, 2, 2))


def _of_places(packed: PackedRows, places: _Integers) -> PackedRows:
    """Return the rows with two pieces (N, 2, first and end) in the place of each of theirs; empty ones are none."""
    filled = places[..., 1] > places[..., 0]  # (N, 2)
    borders = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])[packed.borders]
    return dataclasses.replace(packed, first=places[filled][:, 0], end=places[filled][:, 1], borders=borders)
