"""A place that is left out of the counts is judged as by the counts of the rest of the text."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pentad_ngram import tables
from pentad_ngram.counting import contexts, summed
from pentad_ngram.tables import Tables

EOT, V = 0, 6

texts = st.lists(st.integers(0, V - 1), min_size=3, max_size=40)


def rows_of(text: list[int], order: int) -> Tensor:
    ids = torch.tensor([text])
    found = contexts(ids[:, :-1], max(1, order - 1), EOT, V)[0, :, : order - 1]
    return torch.cat([found, ids[0, 1:, None]], dim=1)


def counted(rows: Tensor, discount: float | None = 0.6) -> Tables:
    return Tables(*summed(rows, torch.ones(len(rows), dtype=torch.int64), V + 2), V, discount)


@settings(max_examples=60, deadline=None)
@given(text=texts, order=st.integers(1, 4), written_out=st.booleans())
def test_what_is_left_out_was_never_counted(text: list[int], order: int, written_out: bool) -> None:
    most, tables.ROWS_WRITTEN_OUT = tables.ROWS_WRITTEN_OUT, 1 << 22 if written_out else 0
    try:
        rows = rows_of(text, order)
        found = counted(rows).probabilities(rows[:, :-1], rows[:, -1])
        assert torch.allclose(found.sum(1), torch.ones(len(rows)), atol=1e-5)
        for place in range(len(rows)):
            rest = counted(rows[torch.arange(len(rows)) != place])
            expected = rest.probabilities(rows[place : place + 1, :-1])[0]
            assert torch.allclose(found[place], expected, atol=1e-5), place
    finally:
        tables.ROWS_WRITTEN_OUT = most


def test_nothing_is_left_out_of_what_was_not_counted_or_is_not_named() -> None:
    rows = rows_of([0, 1, 2, 3, 1, 2, 4, 1, 2, 3, 0, 5], 3)
    table = counted(rows)
    expected = table.probabilities(rows[:, :-1])
    assert torch.allclose(table.probabilities(rows[:, :-1], torch.full((len(rows),), -1)), expected)
    context, never_seen = torch.tensor([[4, 1]]), torch.tensor([5])
    small = counted(rows_of([0, 1, 2, 1, 2], 3))
    assert torch.allclose(small.probabilities(context, never_seen), small.probabilities(context))


def test_what_occurs_once_is_a_surprise_where_it_stands() -> None:
    text = [0, *[1, 2] * 20, 3, 4, *[1, 2] * 20]
    rows, place = rows_of(text, 3), 41  # what follows 3 is 4, and only there
    assert (place, rows[place].tolist()) == (41, [3, 2, 4])
    table = counted(rows)
    with_it = table.probabilities(rows[[place], :-1])[0, 4]
    without = table.probabilities(rows[[place], :-1], rows[[place], -1])[0, 4]
    assert with_it > 0.5 and without < 0.1
