"""A line chart as SVG, drawn without any library: for notebooks, which show it by themselves, and for pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 34, 44
_COLOURS = ("#2563a8", "#c2571a", "#3b7d3b", "#7a4fa0")  # told apart by the colour-blind too


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a chart.

    Args:
        name: stands in the legend.
        points: (x, y); what is not finite is left out.
        marked: whether each point is a dot.
    """

    name: str
    points: Sequence[tuple[float, float]]
    marked: bool = False

    def finite(self) -> list[tuple[float, float]]:
        """Return the points that can be drawn."""
        return [(x, y) for x, y in self.points if math.isfinite(x) and math.isfinite(y)]


class Picture(str):
    """The text of an SVG file, which a notebook shows as what it depicts."""

    def _repr_svg_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<SVG picture, {len(self):,} characters: .save(path) writes it>"

    def save(self, path: Path | str) -> None:
        """Write the file."""
        Path(path).write_text(self, encoding="utf-8")


@dataclass(frozen=True)
class _Axis:
    """Values to places, from `start` (that of `low`) to `end`."""

    low: float
    high: float
    start: float
    end: float
    ticks: list[float] = field(default_factory=list)

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> _Axis:
        """Make an axis over values, with round ticks within them."""
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if high - low < 1e-9:
            low, high = low - 0.5, high + 0.5
        rough = (high - low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        first = math.ceil(low / step - 1e-9)
        ticks = [step * number for number in range(first, first + 12) if step * number <= high + step * 1e-6]
        return cls(low, high, start, end, ticks)

    def place(self, value: float) -> float:
        """Return where a value lies, in pixels."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def line_chart(lines: Sequence[Line], x_title: str, y_title: str) -> Picture:
    """Draw lines over a common axis; without a point the chart is empty."""
    points = [point for line in lines for point in line.finite()]
    x_axis = _Axis.over([x for x, _ in points], _LEFT, WIDTH - _RIGHT)
    y_axis = _Axis.over([y for _, y in points], HEIGHT - _BOTTOM, _TOP)
    parts = [*_grid(x_axis, y_axis), *_titles(x_title, y_title)]
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        parts += [*_drawn(line, x_axis, y_axis, colour), _legend(line.name, number, len(lines), colour)]
    body = "\n".join(parts)
    return Picture(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, rest: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="#333333"{rest}>{escape(text)}</text>'


def _grid(x_axis: _Axis, y_axis: _Axis) -> list[str]:
    parts = []
    for value in y_axis.ticks:
        y = y_axis.place(value)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" stroke="#dddddd"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{value:g}", ' text-anchor="end"'))
    for value in x_axis.ticks:
        parts.append(_text(x_axis.place(value), HEIGHT - _BOTTOM + 18, f"{value:g}", ' text-anchor="middle"'))
    return [*parts, f'<path d="M{_LEFT} {HEIGHT - _BOTTOM}H{WIDTH - _RIGHT}" stroke="#333333"/>']


def _titles(x_title: str, y_title: str) -> list[str]:
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    turned = f' text-anchor="middle" transform="rotate(-90 14 {middle:.1f})"'
    return [
        _text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 8, x_title, ' text-anchor="middle"'),
        _text(14, middle, y_title, turned),
    ]


def _drawn(line: Line, x_axis: _Axis, y_axis: _Axis, colour: str) -> list[str]:
    places = [(x_axis.place(x), y_axis.place(y)) for x, y in line.finite()]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    drawn = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>'] if places else []
    dots = places if line.marked or len(places) == 1 else []
    return [*drawn, *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in dots)]


def _legend(name: str, number: int, of: int, colour: str) -> str:
    x = _LEFT + number * min(180, (WIDTH - _LEFT - _RIGHT) // of)
    return f'<path d="M{x} 18h22" stroke="{colour}" stroke-width="3"/>' + _text(x + 28, 22, name)
