"""Curves: thinned to what a chart can show, seeds as one line with their spread, marks for held-out scores."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pentad_cli.charts import Look
from pentad_studio.runs.following import Figures, Judged
from pentad_studio.training.curves import MEASURES, MOST_POINTS, curves, line_of, thinned

LOOK = Look("a <run>", 0)


def figures(losses, factor=None, start=0):
    made = Figures()
    for number, loss in enumerate(losses):
        for name, column in made.columns.items():
            column.append({"step": start + number, "loss": loss}.get(name, 1.0))
    if factor is not None:
        at = {"step": 5, "tokens": 5, "seconds": 5, "loss": 2.0, "final": True, "lower_is_better": True}
        made.judged.append(Judged(score=2.0 * factor, primary="bits_per_byte", factor=factor, **at))
    return made


@given(st.integers(0, 5000))
def test_a_line_keeps_its_ends_and_its_mean(n):
    x = np.arange(n, dtype=float)
    few_x, few_y = thinned(x, 3 * x)
    assert len(few_x) <= MOST_POINTS
    assert np.allclose(few_y, 3 * few_x)
    if n:
        assert few_x[0] <= n / MOST_POINTS + 1 and few_x[-1] >= n - n / MOST_POINTS - 2


def test_what_is_not_known_is_left_out():
    x, y = thinned(np.array([1.0, 2.0, np.nan, 4.0]), np.array([1.0, np.nan, 1.0, 2.0]))
    assert (list(x), list(y)) == ([1.0, 4.0], [1.0, 2.0])


def test_losses_become_bits_by_what_was_scored():
    line = line_of(LOOK, [figures([4.0, 3.0], factor=0.5)], "bits", "step")
    assert list(line.middle) == [2.0, 1.5]
    assert line.marks == [(5, 1.0)]
    assert line_of(LOOK, [figures([4.0, 3.0])], "bits", "step") is None


def test_seeds_are_one_line_with_their_spread():
    line = line_of(LOOK, [figures([4.0, 3.0, 2.0]), figures([2.0, 1.0, 0.0])], "loss", "step")
    assert list(line.middle) == [3.0, 2.0, 1.0]
    assert (list(line.low), list(line.high)) == ([2.0, 1.0, 0.0], [4.0, 3.0, 2.0])


def test_seeds_without_a_common_stretch_are_no_error():
    line = line_of(LOOK, [figures([4.0] * 3), figures([2.0] * 3, start=100)], "loss", "step")
    assert len(line.x) == 0


def test_a_chart_is_drawn_in_both_sizes_and_escapes_its_labels():
    line = line_of(LOOK, [figures(np.linspace(5, 1, 300), factor=0.5)], "bits", "step")
    drawn = curves([line], MEASURES[0], "step", "curve")
    assert "a &lt;run&gt;" in drawn.wide and "<run>" not in drawn.wide
    assert "curve s0" in drawn.narrow and drawn.wide.count("mark s0") == 1
    assert curves([], MEASURES[0], "step", "curve") is None
