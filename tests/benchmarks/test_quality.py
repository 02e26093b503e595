"""How much sooner the engine comes to a score is read off between its trainings."""

from __future__ import annotations

import pytest
from benchmarks.quality import times_as_fast


def test_between_two_trainings_it_is_read_off_the_logarithm_of_time():
    assert times_as_fast({0.01: 3.0, 1.0: 2.0}, 2.5).value == pytest.approx(10)
    assert times_as_fast({0.01: 3.0, 1.0: 2.0, 10.0: 1.0}, 2.0).value == pytest.approx(1)


def test_where_the_shortest_is_better_it_is_a_bound_and_says_so():
    row = times_as_fast({0.1: 2.0, 1.0: 1.9}, 2.5)
    assert row.value == pytest.approx(10) and row.note


def test_where_none_comes_so_far_there_is_no_figure():
    row = times_as_fast({0.1: 2.0, 1.0: 1.9}, 1.5)
    assert row.value is None and row.note
