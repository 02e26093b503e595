"""Rows that are drawn anew in each pass."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import IGNORED, Tokens, pack_documents
from pentad_next_token.best_fit import BestFit
from pentad_next_token.options import NextTokenOptions
from pentad_next_token.repacking import repacked

LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=8)


def starts_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@given(LENGTHS, st.integers(1, 8), st.integers(0, 2**40), st.integers(0, 5))
def test_every_token_is_in_one_row_of_the_same_filling(lengths, room, seed, number):
    starts = starts_of(lengths)
    packed = pack_documents(starts, room)
    found = repacked(packed, starts, seed, number)
    assert len(found) == len(packed)
    read = Counter(token for row in range(len(found)) for first, end in found.pieces(row) for token in range(first, end))
    assert read == Counter(range(int(starts[-1])))
    for row in range(len(found)):
        sizes = [sum(end - first for first, end in rows.pieces(row)) for rows in (packed, found)]
        assert sizes[0] == sizes[1]
    for first, end in zip(found.first.tolist(), found.end.tolist(), strict=True):
        assert np.searchsorted(starts, first, side="right") == np.searchsorted(starts, end, side="left")  # one document's
        if np.diff(starts)[np.searchsorted(starts, first, side="right") - 1] <= room:
            assert first in starts and end in starts  # what fits into a row is never cut


def test_cuts_move_over_the_whole_rest():
    starts = starts_of([10 * 8 + 5])
    packed = pack_documents(starts, 8)
    cuts = Counter()
    for number in range(200):
        found = repacked(packed, starts, 1, number)
        firsts = {first % 8 for first, end in zip(found.first.tolist(), found.end.tolist(), strict=True) if end - first == 8}
        assert len(firsts) == 1
        cuts[firsts.pop()] += 1
    assert set(cuts) == set(range(6)) and min(cuts.values()) > 15


def test_other_documents_share_a_row():
    starts = starts_of([3, 5] * 6)
    packed = pack_documents(starts, 8)
    found = [repacked(packed, starts, 1, number) for number in range(20)]
    partners = {frozenset(rows.pieces(row)) for rows in found for row in range(len(rows))}
    assert len(partners) > 20
    assert all(sorted(end - first for first, end in pair) == [3, 5] for pair in partners)


def test_passes_differ_and_any_grouping_gives_the_same_rows():
    tokens = Tokens.of(np.array([0, *range(1, 50), 0, *range(50, 60), 0], dtype=np.uint16), 0)
    options = NextTokenOptions(packing="best-fit", repack=True)
    made, again = (BestFit(options, context_length=8, vocab_size=60, end_of_text=0) for _ in range(2))
    count = made.count(tokens)
    whole = made.build(tokens, np.arange(4 * count), 1)
    passes = [{row.tobytes() for row in part} for part in whole.inputs.reshape(4, count, 8)]
    assert len({frozenset(rows) for rows in passes}) == 4
    for index in reversed(range(4 * count)):
        one = again.build(tokens, np.array([index]), 1)
        assert np.array_equal(one.inputs[0], whole.inputs[index]) and np.array_equal(one.targets[0], whole.targets[index])
    assert (whole.targets != IGNORED).sum() == 4 * (len(tokens) - 1)


def test_windows_that_move_anyway_have_no_such_option():
    with pytest.raises(ValueError, match="best-fit"):
        NextTokenOptions(repack=True)
