"""Curves of runs in one chart: what is measured at each logged step, thinned out, and the scores on held-out text as marks.

Runs that differ in their seed alone are one line, the mean, with a band from the lowest to the highest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pentad_cli.charts import Canvas, Figure, Look, Scale, element, end_labels, figure, label_room, number, padded, prefix
from pentad_studio.runs.following import Figures

MOST_POINTS = 240
"""Points of a line: more than a pixel's width apart on the widest chart."""

_START = 0.05
"""Share of a training whose figures the axis need not show: untrained losses would press the rest into a line."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """What a chart shows: its name in an address, its title, and the axis' words."""

    name: str
    title: str
    axis: str


MEASURES = (
    Measure("bits", "Bits per byte", "bits per byte"),
    Measure("loss", "Loss", "nats per token"),
    Measure("grad_norm", "Gradient norm", "norm before clipping"),
    Measure("learning_rate", "Learning rate", "share of the highest"),
    Measure("tokens_per_second", "Speed", "tokens per second"),
)

OVERS = (("step", "steps"), ("tokens", "tokens read"), ("seconds", "seconds of training"))
"""What a chart is drawn over: the column, and its words."""


@dataclass(frozen=True)
class Line:
    """A run, or several that differ in their seed, as it is drawn.

    Args:
        look: its colour, mark and label.
        x, middle, low, high: arrays (N,).
        marks: (x, y) of scores on held-out text, of all the runs.
    """

    look: Look
    x: Array
    middle: Array
    low: Array
    high: Array
    marks: Sequence[tuple[float, float]]


def line_of(look: Look, runs: Sequence[Figures], measure: str, over: str) -> Line | None:
    """Return the line of one run or of several seeds; None where nothing is known."""
    ways, marks = [], []
    for run in runs:
        way = thinned(run.column(over), _values(run, measure))
        if len(way[0]):
            ways.append(way)
        marks += _marks(run, measure, over)
    if not ways and not marks:
        return None
    if not ways:
        nothing = np.zeros(0)
        return Line(look, nothing, nothing, nothing, nothing, marks)
    if len(ways) == 1:
        x, y = ways[0]
        return Line(look, x, y, y, y, marks)
    first, last = max(way[0][0] for way in ways), min(way[0][-1] for way in ways)
    x = np.unique(np.concatenate([way[0] for way in ways]))
    x = x[(x >= first) & (x <= last)][:: max(1, len(x) // MOST_POINTS)]
    read = np.array([np.interp(x, *way) for way in ways]) if len(x) else np.zeros((1, 0))
    return Line(look, x, read.mean(0), read.min(0), read.max(0), marks)


def _values(run: Figures, measure: str) -> Array:
    if measure != "bits":
        return run.column(measure)
    factors = [judged.factor for judged in run.judged if math.isfinite(judged.factor)]
    return run.column("loss") * (factors[-1] if factors else math.nan)


def _marks(run: Figures, measure: str, over: str) -> list[tuple[float, float]]:
    places = [(getattr(judged, over), judged) for judged in run.judged]
    if measure == "bits":
        found = [(x, judged.score) for x, judged in places if judged.primary == "bits_per_byte"]
    elif measure == "loss":
        found = [(x, judged.loss) for x, judged in places]
    else:
        found = []
    return [(x, y) for x, y in found if math.isfinite(x) and math.isfinite(y)]


def thinned(x: Array, y: Array) -> tuple[Array, Array]:
    """Return at most `MOST_POINTS` points of a line (N,): means of stretches of equal numbers of points."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) <= MOST_POINTS:
        return x, y
    starts = np.unique(np.linspace(0, len(x), MOST_POINTS, endpoint=False).astype(int))
    counts = np.diff([*starts, len(x)])
    return np.add.reduceat(x, starts) / counts, np.add.reduceat(y, starts) / counts


def curves(lines: Sequence[Line], measure: Measure, over: str, slug: str) -> Figure | None:
    """Draw lines; None where there is nothing to draw."""
    shown = [line for line in lines if len(line.x) or line.marks]
    if not shown:
        return None
    words = dict(OVERS)[over]
    subtitle = (
        "Lines: the text that is learned from. Marks: held-out text. Bands: lowest to highest of several seeds."
        if measure.name in ("bits", "loss")
        else f"Against {words}."
    )
    looks = [line.look for line in shown]
    return figure(slug, measure.title, subtitle, lambda size: _draw(size, shown, measure, words, slug), looks)


def _domain(lines: Sequence[Line]) -> tuple[tuple[float, float], tuple[float, float]]:
    lasts = [max([*line.x[-1:], *(x for x, _ in line.marks)]) for line in lines]
    heights: list[float] = []
    for line, last in zip(lines, lasts, strict=True):
        late = line.x >= last * _START if len(line.x) > 8 else line.x >= 0
        heights += [*line.low[late], *line.high[late]]
        heights += [y for x, y in line.marks if x >= last * _START]
    most = max(lasts)
    return (0.0, most if most > 0 else 1.0), padded(heights or [0.0, 1.0], 0.05)


def _draw(size: float, lines: Sequence[Line], measure: Measure, over: str, slug: str) -> Canvas:
    canvas = Canvas(size)
    x, y = _domain(lines)
    top, left, right = 30.0, 52.0, size - label_room(canvas, [line.look for line in lines])
    bottom = max(top + (220 if canvas.narrow else 300), top + 20 * len(lines))
    across, down = Scale(*x, left, right), Scale(*y, bottom, top)
    sign, factor = prefix(x[1])
    canvas.axis_left(down, left, right, measure.axis, 5)
    title = f"{over}, {sign}" if sign else over
    canvas.axis_below(across, bottom, [(top, bottom)], title, factor, 4 if canvas.narrow else 7)
    clip = f"{slug}-{number(size)}-clip"
    frame = element("rect", x=left, y=top - 1, width=right - left + 1, height=bottom - top + 2)
    canvas.add("clipPath", frame, id=clip)
    for line in lines:
        _line(canvas, line, across, down, f"url(#{clip})")
    end_labels(canvas, [(line.look, *_tip(line, across, down)) for line in lines], right, top, bottom)
    canvas.height = bottom + 44
    return canvas


def _line(canvas: Canvas, line: Line, across: Scale, down: Scale, clip: str) -> None:
    x = [across(value) for value in line.x]
    if np.any(line.high > line.low):
        band = [*zip(x, map(down, line.high), strict=True), *reversed([*zip(x, map(down, line.low), strict=True)])]
        canvas.path(band, f"band {line.look.colour}", close=True, clip=clip)
    if len(x) > 1:
        css = f"curve {line.look.colour}" + (" dashed" if line.look.hollow else "")
        canvas.path([*zip(x, map(down, line.middle), strict=True)], css, clip=clip)
    for place, score in line.marks:
        if down.end <= down(score) <= down.start:
            canvas.mark(across(place), down(score), line.look, 4, f"{line.look.label}: {score:.4g}")


def _tip(line: Line, across: Scale, down: Scale) -> tuple[float, float]:
    ends = [*zip(line.x[-1:], line.middle[-1:], strict=True), *line.marks[-1:]]
    x, y = max(ends)
    return across(float(x)), min(max(down(float(y)), down.end), down.start)
