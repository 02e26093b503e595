"""A curve drawn with characters: braille dots, two columns and four rows to a cell, for a terminal of any width.

The loss falls fast and then slowly, so its axis is logarithmic; that of a reward, which may be
0 or less, is not. Points within a column are averaged, which smooths a noisy
curve just as much as the width demands.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

Point = tuple[float, float]

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot of a braille cell, by row and column (Unicode chapter 21.1)."""

_BRAILLE = 0x2800

GUTTER = 8
"""Columns of the axis, its labels and its line."""


class Curve:
    """Points of a curve, thinned as they come so that a long run costs no more memory than a short one.

    Args:
        capacity: how many points are kept at most, of x from 0 to 1.
    """

    def __init__(self, capacity: int = 512) -> None:
        self._sums = [0.0] * capacity
        self._counts = [0] * capacity

    def add(self, x: float, y: float) -> None:
        """Add a point; x lies between 0 and 1."""
        if math.isfinite(y):
            at = min(max(int(x * len(self._sums)), 0), len(self._sums) - 1)
            self._sums[at] += y
            self._counts[at] += 1

    def points(self, columns: int) -> list[Point]:
        """Return at most one point a column: its number and the mean of what fell into it."""
        sums: dict[int, list[float]] = {}
        for at, (total, number) in enumerate(zip(self._sums, self._counts, strict=True)):
            if number:
                entry = sums.setdefault(at * columns // len(self._sums), [0.0, 0.0])
                entry[0] += total
                entry[1] += number
        return [(column, total / number) for column, (total, number) in sorted(sums.items())]


def draw(curve: Curve, marks: Sequence[Point], width: int, height: int, *, unicode: bool = True, log: bool = True) -> list[str]:
    """Draw a curve with its axis of values.

    Args:
        curve: the points.
        marks: points (x from 0 to 1, y) of a second curve, drawn as diamonds over it and dotted between.
        width, height: characters in all.
        unicode: whether the terminal shows braille; stars otherwise.
        log: whether the axis of values is logarithmic.

    Returns:
        `height` lines, or none while there is nothing to draw.
    """
    across = max(8, width - GUTTER)
    points = curve.points(2 * across if unicode else across)
    values = [y for _, y in points] + [y for _, y in marks]
    if not values:
        return []
    low, high = _range(values) if log else _linear_range(values)
    canvas = _Canvas(across, height, unicode)
    row = _rows(low, high, canvas.rows, log)
    dots = [(int(x), row(y)) for x, y in points]
    for start, end in zip([*dots[:1], *dots], dots, strict=False):
        canvas.line(start, end)
    lines = canvas.lines()
    places = [(min(across - 1, int(x * across)), row(y) * height // canvas.rows) for x, y in marks]
    for start, end in itertools.pairwise(places):
        _join(lines, start, end, "·" if unicode else ".")
    for column, line in places:
        lines[line][column] = "◆" if unicode else "o"
    axis = _axis(low, high, height, unicode, log)
    return [f"{label}{''.join(cells)}".rstrip() for label, cells in zip(axis, lines, strict=True)]


def _join(lines: list[list[str]], start: tuple[int, int], end: tuple[int, int], sign: str) -> None:
    """Draw between two marks, where nothing else is drawn."""
    for column in range(start[0] + 1, end[0]):
        share = (column - start[0]) / (end[0] - start[0])
        line = round(start[1] + share * (end[1] - start[1]))
        if lines[line][column] == " ":
            lines[line][column] = sign


def step_axis(width: int, first: str, last: str, *, unicode: bool = True) -> str:
    """Return the axis of steps below a curve of the same width, with what stands at its ends."""
    corner, line = ("└", "─") if unicode else ("+", "-")
    across = max(8, width - GUTTER)
    middle = line * max(0, across - len(first) - len(last) - 4)
    return f"{' ' * (GUTTER - 1)}{corner} {first} {middle} {last}"[:width]


def _rows(low: float, high: float, rows: int, log: bool) -> Callable[[float], int]:
    """Return what finds a value's row, counted from the top."""

    def row(y: float) -> int:
        share = math.log(high / max(y, low)) / math.log(high / low) if log else (high - y) / (high - low)
        return min(rows - 1, max(0, round(share * (rows - 1))))

    return row


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = max(min(values), 1e-6), max(*values, 1e-6)
    if high < low * 1.02:  # a flat curve lies in the middle
        low, high = low / 1.1, high * 1.1
    return low, high


def _linear_range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high - low > 1e-6 else (low - 0.5, high + 0.5)


def _axis(low: float, high: float, height: int, unicode: bool, log: bool) -> list[str]:
    """Return the axis, line by line: the highest, the middle and the lowest value are labelled."""
    tick, line = ("┤", "│") if unicode else ("+", "|")
    labelled = {0, height - 1} if height < 5 else {0, height // 2, height - 1}
    axis = []
    for at in range(height):
        share = at / max(height - 1, 1)
        value = high * (low / high) ** share if log else high + (low - high) * share
        axis.append(f"{_short(value):>{GUTTER - 2}} {tick}" if at in labelled else f"{line:>{GUTTER}}")
    return axis


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}" if value < 1e5 else f"{value:.0e}"


class _Canvas:
    """Dots on a grid of characters."""

    def __init__(self, width: int, height: int, unicode: bool) -> None:
        self.width, self.height, self.unicode = width, height, unicode
        self.rows = 4 * height if unicode else height
        self._cells = [[0] * width for _ in range(height)]

    def dot(self, x: int, y: int) -> None:
        """Set the dot in column x and row y, counted from the top left."""
        if self.unicode:
            self._cells[y // 4][min(x // 2, self.width - 1)] |= _DOTS[y % 4][x % 2]
        else:
            self._cells[y][min(x, self.width - 1)] = 1

    def line(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Set the dots between two points."""
        steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
        for step in range(steps + 1):
            share = step / steps
            self.dot(round(start[0] + share * (end[0] - start[0])), round(start[1] + share * (end[1] - start[1])))

    def lines(self) -> list[list[str]]:
        """Return the characters, line by line."""
        if self.unicode:
            return [[chr(_BRAILLE + cell) if cell else " " for cell in line] for line in self._cells]
        return [["*" if cell else " " for cell in line] for line in self._cells]
