from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pentad_cli.charts.scale import Scale, linear_ticks, padded, prefix, roomy_ticks, tick_words
from pentad_cli.charts.text import width


def test_ticks_are_round() -> None:
    assert linear_ticks(0, 9.1, 4) == [0, 2, 4, 6, 8]
    assert linear_ticks(1.87, 2.43, 6) == [1.9, 2.0, 2.1, 2.2, 2.3, 2.4]
    assert linear_ticks(-0.3, 0.25, 5) == [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2]
    assert Scale(0.3, 900, 0, 500, log=True).ticks(6) == [0.3, 1, 3, 10, 30, 100, 300]


def test_a_log_axis_without_a_decade_has_ticks_all_the_same() -> None:
    assert len(Scale(2.1, 3.4, 0, 500, log=True).ticks(5)) >= 3


@given(
    low=st.floats(-1e9, 1e9),
    span=st.floats(1e-3, 1e15),
    most=st.integers(2, 8),
)
def test_the_words_of_ticks_never_touch(low: float, span: float, most: int) -> None:
    scale = Scale(low, low + max(span, abs(low) * 1e-6), 0, 300)
    ticks = roomy_ticks(scale, most)
    for (tick, word), (after, other) in itertools.pairwise(ticks):
        assert scale(tick) + width(word) / 2 < scale(after) - width(other) / 2
    rounding = 1e-6 * (scale.high - scale.low)  # of the axis, which is longer than `span` where that is lost beside `low`
    assert all(scale.low - rounding <= tick <= scale.high + rounding for tick, _ in ticks)


@given(low=st.floats(1e-6, 1e12), factor=st.floats(1.01, 1e9))
def test_a_log_axis_keeps_order_and_ends(low: float, factor: float) -> None:
    scale = Scale(low, low * factor, 10, 200, log=True)
    assert abs(scale(low) - 10) < 1e-6
    assert abs(scale(low * factor) - 200) < 1e-6
    assert all(10 - 1e-3 <= scale(tick) <= 200 + 1e-3 for tick in scale.ticks(5))


def test_words_have_the_decimals_that_are_needed() -> None:
    assert tick_words([0.0, 0.5, 1.0]) == ["0.0", "0.5", "1.0"]
    assert tick_words([-0.2, 0.0, 0.2]) == ["−0.2", "0.0", "0.2"]
    assert tick_words([0.1, 1, 10, 100]) == ["0.1", "1", "10", "100"]
    assert tick_words([1000, 2000]) == ["1,000", "2,000"]


def test_prefixes_and_bounds() -> None:
    assert prefix(4.2e7) == ("M", 1e6)
    assert prefix(0.2) == ("", 1.0)
    low, high = padded([2.0, 2.0])
    assert low < 2.0 < high
