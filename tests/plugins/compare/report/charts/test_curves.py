from __future__ import annotations

import numpy as np

from pentad_cli.charts.look import Look
from pentad_compare.records import ArmResult, Point, SeedResult
from pentad_compare.report.charts.curves import curve, domain

LOOK = Look("gpt", 0)


def arm(*curves: list[tuple[float, float]], finals: tuple[float, ...] = ()) -> ArmResult:
    seeds = []
    for index, points in enumerate(curves):
        made = [Point(step=0, tokens=0, bytes=x, flops=0, seconds=0, score=y) for x, y in points]
        if finals:
            made.append(Point(step=0, tokens=0, bytes=10, flops=0, seconds=0, score=finals[index], final=True))
        seeds.append(SeedResult(seed=index, folder="", score=1.0, curve=made))
    return ArmResult(label="gpt", settings={}, recipe={}, reproduce="", seeds=seeds)


def test_seeds_are_read_at_common_points_inside_the_range_of_all() -> None:
    found = curve(LOOK, arm([(1, 4.0), (3, 2.0), (9, 1.0)], [(2, 5.0), (4, 3.0), (8, 1.0)]), lambda point: point.bytes)
    assert found is not None
    assert list(found.x) == [2, 3, 4, 8]
    np.testing.assert_allclose(found.low, [3.0, 2.0, 2 - 1 / 6, 1.0])
    np.testing.assert_allclose(found.high, [5.0, 4.0, 3.0, 2 - 5 / 6])
    np.testing.assert_allclose(found.middle, (found.low + found.high) / 2)


def test_the_final_score_stands_apart_from_the_line() -> None:
    found = curve(LOOK, arm([(1, 4.0), (9, 1.5)], [(1, 4.0), (9, 1.5)], finals=(1.2, 1.4)), lambda point: point.bytes)
    assert found is not None
    assert found.end == (10, 1.2999999999999998)
    assert found.middle[-1] == 1.5


def test_an_arm_without_points_has_no_curve() -> None:
    assert curve(LOOK, arm([]), lambda point: point.bytes) is None


def test_many_points_are_thinned_and_keep_their_ends() -> None:
    found = curve(LOOK, arm([(x + 1.0, 1.0) for x in range(1000)]), lambda point: point.bytes)
    assert found is not None
    assert len(found.x) == 120
    assert (found.x[0], found.x[-1]) == (1, 1000)


def test_the_axis_is_logarithmic_only_where_arms_end_far_apart() -> None:
    near = [curve(LOOK, arm([(x / 10 * end, 2.0) for x in range(1, 11)]), lambda point: point.bytes) for end in (10.0, 40.0)]
    far = [curve(LOOK, arm([(x / 10 * end, 2.0) for x in range(1, 11)]), lambda point: point.bytes) for end in (10.0, 400.0)]
    assert not domain([each for each in near if each]).log
    assert domain([each for each in far if each]).log
    assert domain([each for each in far if each]).x == (1.0, 400.0)
