"""Charts are well-formed SVG that holds every point that can be drawn."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from pentad.system.chart import HEIGHT, WIDTH, Line, line_chart


def drawn(picture):
    root = ElementTree.fromstring(picture)
    return [
        [tuple(map(float, pair.split(","))) for pair in found.get("points").split()] for found in root.findall(".//{*}polyline")
    ]


def test_a_line_goes_from_the_left_below_to_the_right_above():
    (line,) = drawn(line_chart([Line(name="a", points=[(0, 1), (5, 2), (10, 3)])], "x", "y"))
    assert line == sorted(line) and [y for _, y in line] == sorted((y for _, y in line), reverse=True)
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in line)
    assert line[1][1] == pytest.approx((line[0][1] + line[2][1]) / 2, abs=0.1)


@pytest.mark.parametrize(
    "points", [[], [(1, math.nan)], [(3, 3)], [(1, 2), (2, 2)], [(0, 1e-30), (1, 2e-30)], [(0, 1e12), (1, 0)]]
)
def test_odd_lines_are_charts_too(points):
    picture = line_chart([Line(name="<a&b>", points=points, marked=True)], "x", "y")
    assert "&lt;a&amp;b&gt;" in picture and "nan" not in picture
    drawn(picture)


def test_a_notebook_shows_it_and_a_page_keeps_it(tmp_path):
    picture = line_chart([Line(name="a", points=[(0, 1), (1, 2)])], "step", "loss")
    picture.save(tmp_path / "a.svg")
    assert picture._repr_svg_() == (tmp_path / "a.svg").read_text(encoding="utf-8") == str(picture)
    assert len(repr(picture)) < 80
