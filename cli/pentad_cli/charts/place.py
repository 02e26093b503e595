"""Labels beside marks: each in the first free spot, and letters where labels have no room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad_cli.charts.canvas import Canvas
from pentad_cli.charts.look import Look
from pentad_cli.charts.text import LINE, width

_AWAY = 11
"""Pixels from the middle of a mark to its label."""

_PLACES = ((1, 0), (-1, 0), (0, -1), (0, 1), (0.5, -1), (0.5, 1), (-0.5, -1), (-0.5, 1))
"""Where a label may stand, best first: shares of its width to the right, lines down."""


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

    def holds(self, other: Box) -> bool:
        """Say whether another box is inside."""
        inside = self.left <= other.left and other.right <= self.right
        return inside and self.top <= other.top and other.bottom <= self.bottom


def place_labels(canvas: Canvas, marks: Sequence[tuple[Look, float, float]], frame: Box, taken: Sequence[Box] = ()) -> None:
    """Write every arm's label beside its mark or, where one finds no place, every arm's letter.

    Args:
        canvas: to write on.
        marks: look and middle.
        frame: labels stay inside.
        taken: what labels keep clear of, besides the marks.
    """
    taken = [*taken, *(Box(x - 8, y - 8, x + 8, y + 8) for _, x, y in marks)]
    places = _places([(look.label, x, y) for look, x, y in marks], frame, taken)
    canvas.letters = None in places
    if canvas.letters:
        places = _places([(look.letter, x, y) for look, x, y in marks], frame, taken)
    for (look, _, _), box in zip(marks, places, strict=True):
        if box:
            name = look.letter if canvas.letters else look.label
            canvas.text(box.left, (box.top + box.bottom) / 2, name, "label halo", hint=look.label)


def _places(names: Sequence[tuple[str, float, float]], frame: Box, taken: Sequence[Box]) -> list[Box | None]:
    """Give each name the first free place around its mark; None where there is none."""
    full, chosen = [*taken], []
    for name, x, y in names:
        free = (box for box in _around(x, y, width(name)) if frame.holds(box) and not any(box.touches(other) for other in full))
        chosen.append(next(free, None))
        full += [box for box in chosen[-1:] if box]
    return chosen


def _around(x: float, y: float, long: float) -> list[Box]:
    boxes = []
    for across, down in _PLACES:
        start = x - long / 2 + across * long if down else x + _AWAY if across > 0 else x - _AWAY - long
        middle = y + down * (LINE + 1)
        boxes.append(Box(start, middle - LINE / 2, start + long, middle + LINE / 2))
    return boxes
