"""The ranking drawn: scores with every seed, and differences with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad_compare.records import ArmResult, Difference
from pentad_compare.report.charts.canvas import Canvas
from pentad_compare.report.charts.rows import Axis, Row, draw_rows
from pentad_compare.report.charts.scale import Scale, padded
from pentad_compare.report.look import Look
from pentad_compare.report.numbers import bits, difference

VERDICTS = {"better": ("better", "good"), "worse": ("worse", "bad"), "none": ("no difference shown", "open")}
"""A verdict as it is shown, and the class of its colour; everything else is unknown."""

UNKNOWN = ("no interval", "open")

_WIDEST = 2.0
"""An interval is cut with arrows where it is wider than this many times the span of the means: two seeds give huge ones."""


def draw_scores(size: float, arms: Sequence[tuple[Look, ArmResult]], decimals: int) -> Canvas:
    """Draw each arm's mean, and its seeds as small dots; arms without a score are left out by the caller."""
    seeds = [[seed.bits_per_byte for seed in arm.seeds if seed.bits_per_byte is not None] for _, arm in arms]
    low, high = padded([value for values in seeds for value in values] or [arm.mean or 0.0 for _, arm in arms])
    rows = [Row(look, bits(arm.mean, decimals)) for look, arm in arms]

    def marks(canvas: Canvas, index: int, scale: Scale, y: float) -> None:
        look, arm = arms[index]
        if len(seeds[index]) > 1:
            canvas.line(scale(min(seeds[index])), y, scale(max(seeds[index])), y, f"range {look.colour}")
        for seed in arm.seeds:
            if seed.bits_per_byte is not None:
                hint = f"{look.label}, seed {seed.seed}: {bits(seed.bits_per_byte, decimals)}"
                canvas.dot(scale(seed.bits_per_byte), y, 3.5, f"seed {look.colour}", hint)
        if arm.mean is not None:
            canvas.line(scale(arm.mean), y - 10, scale(arm.mean), y + 10, f"mean {look.colour}")

    return draw_rows(size, rows, Axis(low, high, "bits per byte (lower is better)"), marks)


@dataclass(frozen=True)
class _Span:
    low: float
    high: float


def draw_differences(size: float, found: Sequence[tuple[Look, Difference]], decimals: int) -> Canvas:
    """Draw each arm's paired difference to the baseline with its interval, around zero."""
    span = _span([each for _, each in found])
    rows = [Row(look, difference(each, decimals), *VERDICTS.get(each.verdict, UNKNOWN)) for look, each in found]

    def marks(canvas: Canvas, index: int, scale: Scale, y: float) -> None:
        look, each = found[index]
        css = VERDICTS.get(each.verdict, UNKNOWN)[1]
        if each.low is not None and each.high is not None:
            _interval(canvas, scale, y, each.low, each.high, css)
        if each.mean is not None:
            canvas.dot(scale(each.mean), y, 5, f"dot {css}", f"{look.label}: {difference(each, decimals)}")

    axis = Axis(span.low, span.high, "difference in bits per byte", ("← better", "worse →"))
    return draw_rows(size, rows, axis, marks)


def _span(found: Sequence[Difference]) -> _Span:
    """Return bounds that hold zero, every mean, and intervals as far as they leave the means readable."""
    means = [0.0, *(each.mean for each in found if each.mean is not None)]
    room = max(max(means) - min(means), 1e-3) * _WIDEST
    ends = [value for each in found for value in (each.low, each.high) if value is not None]
    ends = [min(max(value, min(means) - room), max(means) + room) for value in ends]
    return _Span(*padded([*means, *ends]))


def _interval(canvas: Canvas, scale: Scale, y: float, low: float, high: float, css: str) -> None:
    """Draw an interval; an end beyond the axis is an arrow instead of a bar."""
    for value, edge, way in ((low, scale.start, 1), (high, scale.end, -1)):
        inside = scale.low <= value <= scale.high
        x = scale(value) if inside else edge
        points = [(x, y - 5), (x, y + 5)] if inside else [(x + way * 7, y - 5), (x, y), (x + way * 7, y + 5)]
        canvas.path(points, f"interval {css}")
    canvas.line(max(scale(low), scale.start), y, min(scale(high), scale.end), y, f"interval {css}")
