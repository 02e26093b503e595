"""Pieces of documents in rows: a case by hand, then any documents."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pentad import PackedRows, pack_documents


def starts_of(lengths):
    """Return starts of documents that read so many ids each, the end of text before them included."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def rows_of(packed):
    return [packed.pieces(row) for row in range(len(packed))]


def test_each_piece_goes_into_the_fullest_row_that_has_room():
    # From long to short: 6 opens a row (2 left), 5 opens one (3 left), 3 fits the second exactly, 2 the first, 1 opens a third.
    packed = pack_documents(starts_of([3, 6, 2, 5, 1]), 8)
    assert rows_of(packed) == [[(0, 3), (11, 16)], [(3, 9), (9, 11)], [(16, 17)]]
    assert packed.taken == 17 and packed.padding == 1 - 17 / 24
    assert isinstance(packed, PackedRows)


def test_a_document_longer_than_a_row_is_cut_into_rows_and_a_rest():
    packed = pack_documents(starts_of([11, 3]), 4)
    assert rows_of(packed) == [[(0, 4)], [(4, 8)], [(8, 11)], [(11, 14)]]
    assert rows_of(pack_documents(starts_of([11, 1]), 4)) == [[(0, 4)], [(4, 8)], [(8, 11), (11, 12)]]


def test_pieces_may_take_more_than_their_ids():
    packed = pack_documents(starts_of([7, 2]), 8, longest=5, cost=lambda lengths: lengths + 3)
    assert rows_of(packed) == [[(0, 5)], [(5, 7)], [(7, 9)]]
    assert packed.padding == 1 - (8 + 5 + 5) / 24


def test_no_documents_are_no_rows():
    assert len(pack_documents(np.zeros(1, dtype=np.int64), 8)) == len(pack_documents(np.zeros(0, dtype=np.int64), 8)) == 0


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 16))
def test_every_id_is_in_one_piece_and_no_short_document_is_cut(lengths, room):
    starts = starts_of(lengths)
    packed = pack_documents(starts, room)
    pieces = sorted(piece for row in rows_of(packed) for piece in row)
    assert [place for first, end in pieces for place in range(first, end)] == list(range(starts[-1]))
    for first, end in pieces:
        document = np.searchsorted(starts, first, side="right") - 1
        assert end <= starts[document + 1]
        assert lengths[document] > room or (first, end) == (starts[document], starts[document + 1])
    firsts = []
    for row in rows_of(packed):
        assert row == sorted(row) and sum(end - first for first, end in row) <= room
        firsts.append(row[0][0])
    assert firsts == sorted(firsts)
    sizes = [sum(end - first for first, end in row) for row in rows_of(packed)]
    assert len(sizes) < 2 or sum(sorted(sizes)[:2]) > room  # two rows that fit into one would be one
