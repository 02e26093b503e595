from __future__ import annotations

import pytest

from lm_engine_compare.units import count, duration, number, size


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (950, "950"),
        (9999, "9999"),
        (12_345, "12.3k"),
        (999_999, "1M"),
        (4.56e6, "4.56M"),
        (7.8e9, "7.8G"),
        (2e13, "20e12"),
    ],
)
def test_numbers(value, told):
    assert number(value) == told


@pytest.mark.parametrize(("value", "told"), [(512, "0.512 kB"), (3e6, "3 MB"), (1.234e9, "1.23 GB")])
def test_sizes(value, told):
    assert size(value) == told


@pytest.mark.parametrize(
    ("value", "told"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (7260, "2 h 01 min")]
)
def test_durations(value, told):
    assert duration(value) == told


def test_counts():
    assert [count(1, "seed"), count(3, "seed")] == ["1 seed", "3 seeds"]
