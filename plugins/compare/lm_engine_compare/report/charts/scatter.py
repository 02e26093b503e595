"""Cost against quality: an arm a mark, its seeds' range as a line, its label beside it where there is room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lm_engine_compare.report.charts.canvas import Canvas
from lm_engine_compare.report.charts.scale import Scale, padded, prefix
from lm_engine_compare.report.charts.text import LINE, fit, width
from lm_engine_compare.report.look import Look

_LOG_FROM = 20.0
_MOST_LABEL = 200


@dataclass(frozen=True)
class Spot:
    """An arm: its cost, its score in bits per byte, and the lowest and highest of its seeds."""

    look: Look
    cost: float
    score: float
    low: float
    high: float


@dataclass(frozen=True)
class Box:
    """A place that is taken."""

    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Box) -> bool:
        """Say whether two boxes share a pixel."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom


def draw_scatter(size: float, spots: Sequence[Spot], title: Callable[[str], str], unit: tuple[str, float] | None) -> Canvas:
    """Draw marks over a cost; `title` and `unit` as for learning curves."""
    canvas = Canvas(size)
    top, left, right = 30, 46, size - 10
    bottom = top + (260 if canvas.narrow else 320)
    costs = [spot.cost for spot in spots]
    log = max(costs) > _LOG_FROM * min(costs)
    bounds = (min(costs) / 1.4, max(costs) * 1.4) if log else _from_zero(costs)
    across = Scale(*bounds, left, right, log)
    down = Scale(*padded([value for spot in spots for value in (spot.low, spot.high)], 0.12), bottom, top)
    sign, factor = unit or prefix(bounds[1])
    canvas.axis_left(down, left, right, "bits per byte (lower is better)")
    canvas.axis_below(
        across, bottom, [(top, bottom)], title(sign) + (", logarithmic" if log else ""), factor, 4 if canvas.narrow else 7
    )
    for spot in spots:
        canvas.line(across(spot.cost), down(spot.low), across(spot.cost), down(spot.high), f"range {spot.look.colour}")
        canvas.mark(across(spot.cost), down(spot.score), spot.look, 6, spot.look.label)
    _labels(canvas, [(spot.look, across(spot.cost), down(spot.score)) for spot in spots], Box(left, top - 8, size, bottom))
    canvas.height = bottom + 44
    return canvas


def _from_zero(costs: Sequence[float]) -> tuple[float, float]:
    """Return bounds that begin at zero, unless that would press the marks into a corner."""
    low, high = padded(costs, 0.15)
    return (low, high) if low > 0.6 * high else (0.0, high)


def _labels(canvas: Canvas, marks: Sequence[tuple[Look, float, float]], frame: Box) -> None:
    """Write labels where nothing stands yet: the whole label, else the letter; all letters where most would be."""
    taken = [Box(x - 8, y - 8, x + 8, y + 8) for _, x, y in marks]
    found = [_place(canvas, look.label, x, y, taken, frame) for look, x, y in marks]
    if sum(box is None for box in found) > len(marks) / 3:
        taken, found = taken[: len(marks)], [None] * len(marks)
    for (look, x, y), box in zip(marks, found, strict=True):
        name = look.label if box else look.letter
        place = box or _place(canvas, name, x, y, taken, frame)
        canvas.letters |= box is None
        if place:
            canvas.text(place.left, (place.top + place.bottom) / 2, fit(name, _MOST_LABEL), "label halo", hint=look.label)


def _place(canvas: Canvas, name: str, x: float, y: float, taken: list[Box], frame: Box) -> Box | None:
    """Take the first free place around a mark; None where there is none."""
    long = width(fit(name, _MOST_LABEL if not canvas.narrow else 130))
    if canvas.narrow and long < width(name):
        return None
    for across, down in ((0, 0), (-1, 0), (0, -1), (0, 1), (0.5, -1), (0.5, 1), (-0.5, -1), (-0.5, 1)):
        start = (
            x + 11 if (across, down) == (0, 0) else x - 11 - long if (across, down) == (-1, 0) else x - long / 2 + across * long
        )
        middle = y + down * (LINE + 1)
        box = Box(start, middle - LINE / 2, start + long, middle + LINE / 2)
        inside = box.left >= frame.left and box.right <= frame.right and box.top >= frame.top and box.bottom <= frame.bottom
        if inside and not any(box.touches(other) for other in taken):
            taken.append(box)
            return box
    return None
