"""The ranking drawn: scores with every seed, and differences with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad_cli.charts import Canvas, Look, Scale, padded
from pentad_compare.records import ArmResult, Difference, Metric
from pentad_compare.report.charts.rows import Axis, Row, draw_rows
from pentad_compare.report.numbers import bits, difference

VERDICTS = {"better": ("better", "good"), "worse": ("worse", "bad"), "none": ("no difference shown", "open")}
"""A verdict as it is shown, and the class of its colour; everything else is unknown."""

UNKNOWN = ("no interval", "open")

_WIDEST = 2.0
"""An interval is cut with arrows where it is wider than this many times the span of the means: two seeds give huge ones."""


def draw_scores(size: float, arms: Sequence[tuple[Look, ArmResult]], metric: Metric, decimals: int) -> Canvas:
    """Draw each arm's mean, and its seeds as small dots; arms without a score are left out by the caller."""
    seeds = [[seed.score for seed in arm.seeds if seed.score is not None] for _, arm in arms]
    low, high = padded([value for values in seeds for value in values] or [arm.mean or 0.0 for _, arm in arms])
    rows = [Row(look, bits(arm.mean, decimals)) for look, arm in arms]

    def marks(canvas: Canvas, index: int, scale: Scale, y: float) -> None:
        look, arm = arms[index]
        if len(seeds[index]) > 1:
            canvas.line(scale(min(seeds[index])), y, scale(max(seeds[index])), y, f"range {look.colour}")
        for seed in arm.seeds:
            if seed.score is not None:
                hint = f"{look.label}, seed {seed.seed}: {bits(seed.score, decimals)}"
                canvas.dot(scale(seed.score), y, 3.5, f"seed {look.colour}", hint)
        if arm.mean is not None:
            canvas.line(scale(arm.mean), y - 10, scale(arm.mean), y + 10, f"mean {look.colour}")

    return draw_rows(size, rows, Axis(low, high, metric.axis), marks)


@dataclass(frozen=True)
class _Span:
    low: float
    high: float


def draw_differences(size: float, rows: Sequence[tuple[Look, Difference]], metric: Metric, decimals: int) -> Canvas:
    """Draw each arm's paired difference to the baseline with its interval, around zero."""
    span = _span([one for _, one in rows])
    labelled = [Row(look, difference(one, decimals), *VERDICTS.get(one.verdict, UNKNOWN)) for look, one in rows]

    def marks(canvas: Canvas, index: int, scale: Scale, y: float) -> None:
        look, one = rows[index]
        css = VERDICTS.get(one.verdict, UNKNOWN)[1]
        if one.low is not None and one.high is not None:
            _interval(canvas, scale, y, one.low, one.high, css)
        if one.mean is not None:
            canvas.dot(scale(one.mean), y, 5, f"dot {css}", f"{look.label}: {difference(one, decimals)}")

    ends = ("← better", "worse →") if metric.lower_is_better else ("← worse", "better →")
    return draw_rows(size, labelled, Axis(span.low, span.high, f"difference in {metric.title}", ends), marks)


def _span(differences: Sequence[Difference]) -> _Span:
    """Return bounds that hold zero, every mean, and intervals as far as they leave the means readable."""
    means = [0.0, *(one.mean for one in differences if one.mean is not None)]
    room = max(max(means) - min(means), 1e-3) * _WIDEST
    ends = [value for one in differences for value in (one.low, one.high) if value is not None]
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
