"""Learning curves: the mean line of an arm's seeds, the band between their lowest and highest, and the final score.

Seeds are read at common points inside the range that all of them cover, with a straight line between measurements.
The final score is of all of the held-out text, those on the way of a part of it; so the line and the final mark stay apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentad_cli.charts import Box, Canvas, Look, Scale, element, end_labels, label_room, number, padded, place_labels, prefix
from pentad_compare.records import ArmResult, Metric, Point
from pentad_compare.report.numbers import bits, mean

_MOST_POINTS = 120
_START = 0.1
"""Share of an arm's training that is cut off at the left: untrained scores would press the rest into a line."""

_LOG_FROM = 8.0
"""The axis is logarithmic where arms end this many times apart."""

Reading = Callable[[Point], float]


@dataclass(frozen=True)
class Curve:
    """An arm's scores on the way; arrays of one length, empty where nothing was measured on the way.

    Args:
        look: of the arm.
        x: what was used up.
        middle, low, high: scores: mean, lowest and highest of the seeds.
        end: mean of what was used up and of the final score.
    """

    look: Look
    x: NDArray[np.float64]
    middle: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    end: tuple[float, float] | None


def curve(look: Look, arm: ArmResult, reading: Reading) -> Curve | None:
    """Join an arm's seeds to one curve over what `reading` reads; None where no seed has a point."""
    seeds = [sorted(seed.curve, key=reading) for seed in arm.seeds if seed.curve and not seed.failure]
    finals = [point for points in seeds for point in points if point.final]
    ways = [way for points in seeds if (way := [point for point in points if not point.final and reading(point) > 0])]
    end = (mean([reading(point) for point in finals]), mean([point.score for point in finals])) if finals else None
    if not ways:
        return Curve(look, *(np.zeros(0),) * 4, end) if end else None
    x = _common(ways, reading)
    read = np.array([np.interp(x, [reading(point) for point in way], [point.score for point in way]) for way in ways])
    return Curve(look, x, read.mean(0), read.min(0), read.max(0), end)


def _common(ways: Sequence[Sequence[Point]], reading: Reading) -> NDArray[np.float64]:
    """Return the points of all seeds inside the range that every seed covers, thinned out where they are many."""
    first, last = max(reading(way[0]) for way in ways), min(reading(way[-1]) for way in ways)
    points = np.unique([reading(point) for way in ways for point in way])
    points = points[(points >= first) & (points <= last)]
    if len(points) > _MOST_POINTS:
        points = points[np.unique(np.linspace(0, len(points) - 1, _MOST_POINTS).astype(int))]
    return points if len(points) else np.array([first])


@dataclass(frozen=True)
class Domain:
    """What of the curves is shown."""

    x: tuple[float, float]
    y: tuple[float, float]
    log: bool


def domain(curves: Sequence[Curve]) -> Domain:
    """Return bounds that show every curve from the end of its first steps on."""
    lasts = [max([*trace.x[-1:], *([trace.end[0]] if trace.end else [])]) for trace in curves]
    shown = [trace.x >= last * _START if len(trace.x) > 4 else trace.x > 0 for trace, last in zip(curves, lasts, strict=True)]
    firsts = [trace.x[mask][0] for trace, mask in zip(curves, shown, strict=True) if mask.any()] or lasts
    ranges = [(*trace.low[mask], *trace.high[mask]) for trace, mask in zip(curves, shown, strict=True)]
    heights = [float(value) for ends in ranges for value in ends]
    heights += [trace.end[1] for trace in curves if trace.end]
    log = max(lasts) > _LOG_FROM * min(lasts)
    low = float(min(firsts)) if log else 0.0
    return Domain((low, float(max(lasts)) * (1.0 if max(lasts) > low else 1.1)), padded(heights, 0.05), log)


def draw_curves(
    size: float,
    curves: Sequence[Curve],
    metric: Metric,
    title: Callable[[str], str],
    unit: tuple[str, float] | None,
    clip: str,
) -> Canvas:
    """Draw curves.

    Args:
        size: width of the canvas.
        curves: of the arms.
        metric: what their scores are.
        title: makes the axis' title of a unit's prefix.
        unit: prefix and factor, else those that suit.
        clip: a name that is unique on the page.
    """
    canvas = Canvas(size)
    shown = domain(curves)
    room = 16 if shown.log else label_room(canvas, [trace.look for trace in curves])
    top, left, right = 30, 46, size - room
    bottom = max(top + (240 if canvas.narrow else 330), top + 20 * len(curves))
    across, down = Scale(*shown.x, left, right, shown.log), Scale(*shown.y, bottom, top)
    sign, factor = unit or prefix(shown.x[1])
    canvas.axis_left(down, left, right, metric.axis, 5)
    canvas.axis_below(
        across, bottom, [(top, bottom)], title(sign) + (", logarithmic" if shown.log else ""), factor, 4 if canvas.narrow else 7
    )
    frame = element("rect", x=left, y=top - 1, width=right - left + 1, height=bottom - top + 2)
    canvas.add("clipPath", frame, id=f"{clip}-{number(size)}")
    for trace in curves:
        _line(canvas, trace, across, down, f"url(#{clip}-{number(size)})")
    for trace in curves:
        if trace.end:
            hint = f"{trace.look.label}, final: {bits(trace.end[1], 3)}"
            canvas.mark(across(trace.end[0]), down(trace.end[1]), trace.look, 5, hint)
    tips = [(trace.look, *_tip(trace, across, down)) for trace in curves]
    if shown.log:  # The ends are far apart: a label beside each, none at the margin.
        place_labels(canvas, tips, Box(left, top - 8, size, bottom))
    else:
        end_labels(canvas, tips, right, top, bottom)
    canvas.height = bottom + 44
    return canvas


def _tip(trace: Curve, across: Scale, down: Scale) -> tuple[float, float]:
    """Return where a curve ends on the canvas."""
    x, y = trace.end or (float(trace.x[-1]), float(trace.middle[-1]))
    return across(x), min(max(down(y), down.end), down.start)


def _line(canvas: Canvas, trace: Curve, across: Scale, down: Scale, clip: str) -> None:
    if not len(trace.x):
        return
    x = [across(value) for value in trace.x]
    band = [*zip(x, map(down, trace.high), strict=True), *reversed([*zip(x, map(down, trace.low), strict=True)])]
    line = [*zip(x, map(down, trace.middle), strict=True)]
    if np.any(trace.high > trace.low):
        canvas.path(band, f"band {trace.look.colour}", close=True, clip=clip)
    canvas.path(line, f"curve {trace.look.colour}" + (" dashed" if trace.look.hollow else ""), clip=clip)
    if trace.end:
        canvas.path([line[-1], (across(trace.end[0]), down(trace.end[1]))], f"link {trace.look.colour}", clip=clip)
