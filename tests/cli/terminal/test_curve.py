from __future__ import annotations

import math

import pytest

from pentad_cli.terminal.curve import GUTTER, Curve, draw


def falling(points: int = 400) -> Curve:
    curve = Curve()
    for n in range(points):
        curve.add(n / points, 2 + 6 * math.exp(-n / 60))
    return curve


@pytest.mark.parametrize(("width", "height"), [(80, 8), (20, 3), (200, 30), (40, 1)])
@pytest.mark.parametrize("unicode", [True, False])
def test_it_fits_its_place(width: int, height: int, unicode: bool) -> None:
    lines = draw(falling(), [(0.5, 3.0), (1.0, 2.0)], width, height, unicode=unicode)
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)
    assert unicode or all(line.isascii() for line in lines)


def test_a_falling_curve_starts_at_the_top_and_ends_at_the_bottom() -> None:
    lines = draw(falling(), [], 60, 8)
    assert lines[0].strip().startswith("7.85 ┤")
    assert lines[-1].strip().startswith("2.0")
    first = [len(line[GUTTER:]) - len(line[GUTTER:].lstrip()) for line in lines]
    assert first == sorted(first)


def test_a_step_down_is_drawn_as_one_line() -> None:
    curve = Curve()
    for n in range(100):
        curve.add(n / 100, 8.0 if n < 50 else 2.0)
    middle = [line[GUTTER:] for line in draw(curve, [], 60, 6)][2:4]
    assert all(line.strip() for line in middle)


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0], [0.0, 0.0], [1e-12, 1e6], [math.nan, math.inf, 2.0]])
def test_strange_values_do_no_harm(values: list[float]) -> None:
    curve = Curve()
    for n, value in enumerate(values):
        curve.add(n / len(values), value)
    assert len(draw(curve, [], 40, 5)) == 5


def test_nothing_to_draw() -> None:
    assert draw(Curve(), [], 40, 5) == []
    assert draw(Curve(), [(0.5, 2.0)], 40, 5)[2].endswith("◆")


def test_progress_beyond_its_ends_is_kept_inside() -> None:
    curve = Curve()
    curve.add(-0.1, 3.0)
    curve.add(1.7, 2.0)
    assert len(curve.points(40)) == 2


def test_a_reward_has_an_axis_that_is_not_logarithmic() -> None:
    curve = Curve()
    for n in range(100):
        curve.add(n / 100, n / 50 - 1)
    lines = draw(curve, [], 60, 5, log=False)
    assert [line.split()[0] for line in (lines[0], lines[2], lines[4])] == ["0.98", "-0.01", "-1.00"]
    assert len(draw(Curve(), [(0.5, 0.0)], 40, 5, log=False)) == 5
