"""Charts of rows over one axis below: an arm a row, its label left of the plot, or above it where there is little room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pentad_cli.charts import FONT, LINE, Canvas, Look, Scale, width, wrap

_MOST_LABEL = 230
_GAP = 18
_BOLD = FONT * 1.1
"""Bold letters are wider."""


@dataclass(frozen=True)
class Row:
    """A row.

    Args:
        look: of the arm, whose label it bears.
        value: figures at the right.
        verdict: a word below the figures, and `css` the class of its colour.
    """

    look: Look
    value: str
    verdict: str = ""
    css: str = ""


@dataclass(frozen=True)
class Axis:
    """What is below the rows: bounds in values, and a title; `ends`: what it means to be left and right of zero."""

    low: float
    high: float
    title: str
    ends: tuple[str, str] | None = None


def draw_rows(size: float, rows: Sequence[Row], axis: Axis, marks: Callable[[Canvas, int, Scale, float], None]) -> Canvas:
    """Draw rows.

    Args:
        size: width of the canvas.
        rows: from the top.
        axis: under them.
        marks: draws a row's marks: (canvas, row, scale, middle of the row).
    """
    canvas = Canvas(size)
    label_room, value_room, stacked = _rooms(size, rows)
    labels = [wrap(row.look.label, label_room) for row in rows]
    left, right = (8.0, size - 8) if canvas.narrow else (label_room + 2 * _GAP, size - value_room - _GAP)
    scale = Scale(axis.low, axis.high, left, right)
    top = _ends(canvas, axis, scale)
    tops, middles, bottom = _places(canvas.narrow, rows, labels, top, stacked)
    # Where labels are above the marks, lines keep clear of them.
    strips = [(middle - 12, middle + 12) for middle in middles] if canvas.narrow else [(top, bottom)]
    canvas.axis_below(scale, bottom, strips, axis.title, most=4 if canvas.narrow else 6)
    for upper, lower in strips if axis.ends else []:
        canvas.line(scale(0), upper, scale(0), lower, "zero")
    for index, row in enumerate(rows):
        head = tops[index] + LINE / 2 + 2 if canvas.narrow else middles[index]
        _label(canvas, row, labels[index], head)
        if stacked:
            _below(canvas, row, head + len(labels[index]) * LINE)
        else:
            _value(canvas, row, size, head)
        marks(canvas, index, scale, middles[index])
    canvas.height = bottom + 44
    return canvas


def _rooms(size: float, rows: Sequence[Row]) -> tuple[float, float, bool]:
    """Return the width for labels and for values, and whether values stand below the labels for want of room."""
    value = max(max(width(row.value, _BOLD), width(row.verdict)) for row in rows)
    label = max(width(row.look.label) for row in rows)
    if size > 500:
        return min(label, _MOST_LABEL), value + 6, False
    beside = size - value - _GAP - 20
    return (beside, value, False) if label <= beside else (size - _GAP, value, True)


def _places(
    narrow: bool, rows: Sequence[Row], labels: Sequence[Sequence[str]], top: float, stacked: bool
) -> tuple[list[float], list[float], float]:
    """Return the top and the middle of every row's marks, and the bottom of the last."""
    tops, middles = [], []
    for row, lines in zip(rows, labels, strict=True):
        n_lines = len(lines) + 1 if stacked else max(len(lines), 2 if row.verdict else 1)
        tops.append(top)
        middles.append(top + n_lines * LINE + 18 if narrow else top + n_lines * LINE / 2 + 8)
        top += n_lines * LINE + (38 if narrow else 16)
    return tops, middles, top


def _label(canvas: Canvas, row: Row, lines: Sequence[str], y: float) -> None:
    middle = y + (len(lines) - 1) * LINE / 2 if canvas.narrow else y
    canvas.mark(7, y if canvas.narrow else middle, row.look)
    canvas.lines(_GAP, middle, lines, "label", hint=row.look.label)


def _value(canvas: Canvas, row: Row, size: float, y: float) -> None:
    shift = LINE / 2 if row.verdict else 0
    head = y + shift if canvas.narrow else y
    canvas.text(size, head - shift, row.value, "value", "end")
    if row.verdict:
        canvas.text(size, head + shift, row.verdict, f"verdict {row.css}", "end")


def _below(canvas: Canvas, row: Row, y: float) -> None:
    """Write figures and verdict in a line of their own; the colour alone tells the verdict where its word has no room."""
    canvas.text(0, y, row.value, "value")
    if width(row.value, _BOLD) + 8 + width(row.verdict) <= canvas.width:
        canvas.text(canvas.width, y, row.verdict, f"verdict {row.css}", "end")


def _ends(canvas: Canvas, axis: Axis, scale: Scale) -> float:
    """Say above the rows what left and right mean, where there is room; return where the rows begin."""
    if axis.ends is None:
        return 4
    before, after = axis.ends
    if scale(0) - 8 - width(before) > 0:
        canvas.text(scale(0) - 8, 9, before, "axis", "end")
    if scale(0) + 8 + width(after) < canvas.width:
        canvas.text(scale(0) + 8, 9, after, "axis")
    return 26
