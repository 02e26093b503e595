"""Bars from zero: a figure of which more is simply more."""

from __future__ import annotations

from collections.abc import Sequence

from pentad_cli.charts import Canvas, Look, Scale
from pentad_compare.report.charts.rows import Axis, Row, draw_rows


def draw_bars(size: float, values: Sequence[tuple[Look, float]], title: str, decimals: int = 2) -> Canvas:
    """Draw a bar for each value, above none of which an axis begins elsewhere than at zero."""
    rows = [Row(look, f"{value:.{decimals}f}") for look, value in values]

    def marks(canvas: Canvas, index: int, scale: Scale, y: float) -> None:
        look, value = values[index]
        canvas.bar(scale(0), y - 8, scale(value) - scale(0), 16, f"fill {look.colour}")

    return draw_rows(size, rows, Axis(0.0, max(value for _, value in values) * 1.02 or 1.0, title), marks)
