"""Small multiples: a panel for each figure of generated text, or for each tokenizer's token lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad_cli.charts import LINE, Canvas, Look, Scale, padded, width, wrap


@dataclass(frozen=True)
class Panel:
    """A figure of several ways to generate.

    Args:
        title: what it is.
        values: one a row; None where it was not measured.
        seeds: the same figure of every seed, a row a row.
        human: of held-out human text.
        percent: whether it is a share.
    """

    title: str
    values: Sequence[float | None]
    seeds: Sequence[Sequence[float]]
    human: float | None
    percent: bool


def draw_panels(size: float, looks: Sequence[Look], panels: Sequence[Panel]) -> Canvas:
    """Draw panels beside each other or, on a narrow canvas, below each other, with a line where human text stands."""
    canvas = Canvas(size)
    room = min(max(width(look.label) for look in looks), 170 if not canvas.narrow else 120)
    labels = [wrap(look.label, room) for look in looks]
    across = 1 if canvas.narrow else min(len(panels), 2)
    plot = (size - 8 - across * (room + 30)) / across
    height = 34 + sum(_row(label) for label in labels) + 40
    for index, panel in enumerate(panels):
        line, column = divmod(index, across)
        _panel(canvas, panel, looks, labels, (column * (room + 30 + plot + 8), line * height), (room, plot))
    canvas.height = height * -(-len(panels) // across) - 8
    return canvas


def _row(label: Sequence[str]) -> float:
    return LINE * len(label) + 10


def _panel(
    canvas: Canvas,
    panel: Panel,
    looks: Sequence[Look],
    labels: Sequence[Sequence[str]],
    origin: tuple[float, float],
    rooms: tuple[float, float],
) -> None:
    left, top = origin
    start = left + rooms[0] + 26
    scale = _scale(panel, start, start + rooms[1] - 12)
    head, y = top + 30, top + 34
    bottom = y + sum(_row(label) for label in labels)
    _ticks(canvas, panel, scale, bottom, head)
    canvas.text(left, top + 9, panel.title, "panel")
    if panel.human is not None:
        canvas.line(scale(panel.human), head - 4, scale(panel.human), bottom, "human")
    for look, label, value, seeds in zip(looks, labels, panel.values, panel.seeds, strict=True):
        middle = y + _row(label) / 2
        canvas.mark(left + 6, middle, look)
        canvas.lines(left + 17, middle, label, "label", hint=look.label)
        for seed in seeds:
            canvas.dot(scale(seed), middle, 3, f"seed {look.colour}")
        if value is not None:
            canvas.mark(scale(value), middle, look, 5.5, f"{look.label}: {value:.3g}")
        y += _row(label)


def _scale(panel: Panel, start: float, end: float) -> Scale:
    known = [
        value for value in (*panel.values, panel.human, *(score for row in panel.seeds for score in row)) if value is not None
    ]
    if panel.percent and min(known) < 0.6 * max(max(known), 0.01):
        return Scale(0.0, max(max(known) * 1.08, 0.01), start, end)
    return Scale(*padded(known, 0.1), start, end)


def _ticks(canvas: Canvas, panel: Panel, scale: Scale, bottom: float, head: float) -> None:
    ticks = scale.ticks(3)
    for tick in ticks:
        canvas.line(scale(tick), head, scale(tick), bottom, "grid")
        words = f"{tick * 100:.3g}%" if panel.percent else f"{tick:.3g}"
        canvas.text(scale(tick), bottom + 12, words, "tick", "middle")


@dataclass(frozen=True)
class Lengths:
    """Share of a tokenizer's tokens by their length: `shares[i]` are those of i + 1 bytes, the last those of more as well."""

    look: Look
    shares: Sequence[float]
    mean: float


def draw_lengths(size: float, histograms: Sequence[Lengths]) -> Canvas:
    """Draw a small histogram for each tokenizer, all over the same axes."""
    canvas = Canvas(size)
    across = min(2 if canvas.narrow or len(histograms) == 4 else 3, len(histograms))
    cell = (size - (across - 1) * 16) / across
    highest = _highest([max(histogram.shares) for histogram in histograms])
    for index, histogram in enumerate(histograms):
        line, column = divmod(index, across)
        _histogram(canvas, histogram, (column * (cell + 16), line * 168), cell, highest)
    canvas.height = 168 * -(-len(histograms) // across) + 14
    canvas.text(size / 2, canvas.height - 10, "bytes of a token", "axis", "middle")
    return canvas


def _highest(peaks: Sequence[float]) -> float:
    """Return where bars are cut: single bytes are all of one length, and would flatten every other tokenizer."""
    ordered = sorted(peaks)
    return max(peak for peak in ordered if peak <= 2 * ordered[(len(ordered) - 1) // 2])


def _histogram(canvas: Canvas, histogram: Lengths, origin: tuple[float, float], cell: float, highest: float) -> None:
    left, top = origin
    label = wrap(histogram.look.label, cell - 20, 2)
    canvas.mark(left + 6, top + 10, histogram.look)
    canvas.lines(left + 17, top + 10 + (len(label) - 1) * LINE / 2, label, "label", hint=histogram.look.label)
    down = Scale(0, highest, top + 138, top + 62)
    bar = (cell - 4) / len(histogram.shares)
    canvas.line(left, down(0), left + cell, down(0), "base")
    for index, share in enumerate(histogram.shares):
        last = index + 1 == len(histogram.shares)
        hint = f"{index + 1}{' or more' if last else ''} bytes: {share:.1%} of the tokens"
        x, y = left + 2 + index * bar, down(min(share, highest))
        if share:
            canvas.bar(x + 0.5, y, bar - 1, down(0) - y, f"fill {histogram.look.colour}", hint)
        if share > highest:
            canvas.line(x - 2, y + 16, x + bar + 2, y + 10, "cut")
        if index == 0 or last or ((index + 1) % 4 == 0 and index + 3 < len(histogram.shares)):
            middle, anchor = (x + bar, "end") if last else (x + bar / 2, "middle")
            canvas.text(middle, top + 150, f"{index + 1}{'+' if last else ''}", "tick", anchor)
    peak = max(range(len(histogram.shares)), key=lambda index: histogram.shares[index])
    start = peak < 2
    canvas.text(
        left if start else left + 2 + (peak + 0.5) * bar,
        down(min(histogram.shares[peak], highest)) - 9,
        f"{histogram.shares[peak]:.0%}",
        "tick",
        None if start else "middle",
    )
