"""Labels beside the ends of lines, moved apart so that none touches another."""

from __future__ import annotations

from collections.abc import Sequence

from pentad_cli.charts.canvas import Canvas
from pentad_cli.charts.look import Look
from pentad_cli.charts.text import LINE, fit, width, wrap

_LEAD = 22
_MOST_WIDE, _MOST_NARROW = 190, 84


def label_room(canvas: Canvas, looks: Sequence[Look]) -> float:
    """Return the room right of a plot for labels or, where they are too long, for letters, and remember which."""
    widest = max(width(look.label) for look in looks)
    most = _MOST_NARROW if canvas.narrow else _MOST_WIDE
    cut = [fit(look.label, most) for look in looks]
    canvas.letters = widest > most and (canvas.narrow or len(set(cut)) < len(cut))
    if canvas.letters:
        widest = max(width(look.letter) for look in looks)
    return _LEAD + min(widest, most) + 2


def end_labels(canvas: Canvas, ends: Sequence[tuple[Look, float, float]], right: float, top: float, bottom: float) -> None:
    """Write the label of each line beside the plot at the height of its end, with a thin line from there to it.

    Args:
        canvas: on which `label_room` was asked.
        ends: look, and where the line ends.
        right, top, bottom: of the plot.
    """
    ends = sorted(ends, key=lambda end: (end[2], end[0].index))
    room = canvas.width - right - _LEAD
    labels = [
        [look.letter] if canvas.letters else wrap(look.label, room, _lines(len(ends), bottom - top)) for look, _, _ in ends
    ]
    heights = spread([y for _, _, y in ends], [LINE * len(label) for label in labels], top - 6, bottom + 6)
    for (look, x, y), label, height in zip(ends, labels, heights, strict=True):
        canvas.path([(x + 7, y), (max(right + 4, x + 7), y), (right + _LEAD - 4, height)], f"lead {look.colour}")
        canvas.lines(right + _LEAD, height, label, "label", hint=look.label)


def _lines(n_labels: int, height: float) -> int:
    return 2 if n_labels * 2 * LINE <= height else 1


def spread(wanted: Sequence[float], sizes: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return middles for boxes in order from the top: near where they are wanted, apart, and within bounds where they fit.

    Boxes that touch are joined to a block at the mean of its members' wanted positions (pool adjacent violators).
    """
    offsets = [sum(sizes[:index]) + sizes[index] / 2 for index in range(len(sizes))]
    blocks: list[list[float]] = []
    for position, offset in zip(wanted, offsets, strict=True):
        blocks.append([position - offset])
        while len(blocks) > 1 and _mean(blocks[-2]) >= _mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    starts = [_mean(block) for block in blocks for _ in block]
    latest = bottom - sum(sizes)
    return [max(min(start, latest), top) + offset for start, offset in zip(starts, offsets, strict=True)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
