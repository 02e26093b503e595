"""Cost against quality: an arm a mark, its seeds' range as a line, its label beside it where there is room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pentad_cli.charts import Box, Canvas, Look, Scale, padded, place_labels, prefix
from pentad_compare.records import Metric

_LOG_FROM = 20.0


@dataclass(frozen=True)
class Spot:
    """An arm: its cost, its score, and the lowest and highest of its seeds."""

    look: Look
    cost: float
    score: float
    low: float
    high: float


def draw_scatter(
    size: float, spots: Sequence[Spot], metric: Metric, title: Callable[[str], str], unit: tuple[str, float] | None
) -> Canvas:
    """Draw marks over a cost; `metric`, `title` and `unit` as for learning curves."""
    canvas = Canvas(size)
    top, left, right = 30, 46, size - 10
    bottom = top + (260 if canvas.narrow else 320)
    costs = [spot.cost for spot in spots]
    log = max(costs) > _LOG_FROM * min(costs)
    bounds = (min(costs) / 1.4, max(costs) * 1.4) if log else _from_zero(costs)
    across = Scale(*bounds, left, right, log)
    down = Scale(*padded([value for spot in spots for value in (spot.low, spot.high)], 0.12), bottom, top)
    sign, factor = unit or prefix(bounds[1])
    canvas.axis_left(down, left, right, metric.axis)
    canvas.axis_below(
        across, bottom, [(top, bottom)], title(sign) + (", logarithmic" if log else ""), factor, 4 if canvas.narrow else 7
    )
    for spot in spots:
        canvas.line(across(spot.cost), down(spot.low), across(spot.cost), down(spot.high), f"range {spot.look.colour}")
        canvas.mark(across(spot.cost), down(spot.score), spot.look, 6, spot.look.label)
    ranges = [Box(across(spot.cost) - 4, down(spot.high), across(spot.cost) + 4, down(spot.low)) for spot in spots]
    marks = [(spot.look, across(spot.cost), down(spot.score)) for spot in spots]
    place_labels(canvas, marks, Box(left, top - 8, size, bottom), ranges)
    canvas.height = bottom + 44
    return canvas


def _from_zero(costs: Sequence[float]) -> tuple[float, float]:
    """Return bounds that begin at zero, unless that would press the marks into a corner."""
    low, high = padded(costs, 0.15)
    return (low, high) if low > 0.6 * high else (0.0, high)
