"""Whole documents in rows, by hand and for any text."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pentad import IGNORED, Tokens
from pentad_next_token.best_fit import BestFit
from pentad_next_token.options import NextTokenOptions

E = 9


def builder(context_length):
    return BestFit(NextTokenOptions(packing="best-fit"), context_length=context_length, vocab_size=10, end_of_text=E)


def text(*documents):
    return Tokens.of(np.array([E, *[token for document in documents for token in (*document, E)]], dtype=np.uint16), E)


def test_documents_that_fit_share_a_row():
    tokens = text([1, 2, 3], [4, 5], [6])
    batch = builder(6).build(tokens, np.arange(2), None)
    assert batch.inputs.tolist() == [[E, 1, 2, 3, E, 6], [E, 4, 5, E, E, E]]
    assert batch.targets.tolist() == [[1, 2, 3, E, 6, E], [4, 5, E, IGNORED, IGNORED, IGNORED]]
    assert batch.segments.tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1]]  # the padding is one of its own
    assert builder(6).describe(tokens) == "best-fit packing, 25.0% padding, 0 of 3 documents cut"


def test_a_long_document_is_cut_and_its_rest_packed():
    tokens = text([1, 2, 3, 4, 5], [6])
    batch = builder(4).build(tokens, np.arange(2), None)
    assert batch.inputs.tolist() == [[E, 1, 2, 3], [4, 5, E, 6]]
    assert batch.targets.tolist() == [[1, 2, 3, 4], [5, E, 6, E]]
    assert batch.segments.tolist() == [[0, 0, 0, 0], [0, 0, 1, 1]]
    assert builder(4).describe(tokens).endswith("0.0% padding, 1 of 2 documents cut")


def test_a_row_that_one_document_fills_has_no_segments():
    assert builder(3).build(text([1, 2]), np.array([0]), None).segments is None


documents = st.lists(st.lists(st.integers(0, 8), max_size=9), min_size=1, max_size=6)


@given(documents, st.integers(1, 12), st.integers(0, 2**40), st.integers(0, 3))
def test_a_pass_learns_every_token_once_within_its_document(documents, context_length, seed, passes):
    tokens, made = text(*documents), builder(context_length)
    count = made.count(tokens)
    batch = made.build(tokens, np.arange(count) + passes * count, seed)
    learned = batch.targets != IGNORED
    expected = Counter((a, b) for a, b in zip(tokens.ids[:-1].tolist(), tokens.ids[1:].tolist(), strict=True))
    assert Counter(zip(batch.inputs[learned].tolist(), batch.targets[learned].tolist(), strict=True)) == expected
    segments = np.zeros_like(batch.inputs) if batch.segments is None else batch.segments
    for row in range(count):
        for number in range(segments[row].max() + 1):
            part = segments[row] == number
            read, said = batch.inputs[row, part].tolist(), batch.targets[row, part].tolist()
            assert E not in read[1:] or set(said) == {IGNORED}  # one document, or padding
            assert said == [IGNORED] * len(said) or read[1:] == said[:-1]


def free_positions(documents: list[int], room: int) -> list[int]:
    """Best-fit decreasing by looking at every row for every piece: what stays free in each row."""
    pieces = [room] * sum(length // room for length in documents) + [length % room for length in documents if length % room]
    rows: list[int] = []
    for piece in sorted(pieces, reverse=True):
        fits = [row for row, free in enumerate(rows) if free >= piece]
        if fits:
            rows[min(fits, key=lambda row: rows[row])] -= piece
        else:
            rows.append(room - piece)
    return sorted(rows)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80), st.integers(1, 40))
def test_rows_are_those_of_best_fit_decreasing(lengths, context_length):
    tokens, made = text(*([1] * (length - 1) for length in lengths)), builder(context_length)  # and an end of text each
    count = made.count(tokens)
    batch = made.build(tokens, np.arange(count), None)
    assert sorted((batch.targets == IGNORED).sum(axis=1).tolist()) == free_positions(lengths, context_length)
