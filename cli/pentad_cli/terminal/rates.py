"""The range test of learning rates as a person sees it: the loss over the rate, and the rate to take."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pentad_cli.terminal.curve import GUTTER, Curve, draw
from pentad_cli.terminal.display import takes_unicode
from pentad_cli.terminal.output import paint, terminal_width, wrap
from pentad_cli.terminal.text import count, duration, plural, visible_line

if TYPE_CHECKING:
    from pentad.train.finder import RateSweep

HEIGHT = 12


def sweep_lines(sweep: RateSweep, stream: TextIO, saved_to: Path | None = None) -> list[str]:
    """Return the lines that show a range test in 80 columns or less.

    Args:
        sweep: what it found.
        stream: where they will be written.
        saved_to: the folder that has the curve, if any.
    """
    unicode = takes_unicode(stream)
    width = min(80, terminal_width()) - 4
    first, last = sweep.rates[0], sweep.rates[-1]
    steps = f"{plural(len(sweep.rates), 'step')} in {duration(sweep.seconds)}; the run plans {count(sweep.planned_steps)}"
    lines = ["", f"  Loss over the learning rate, {steps}:", ""]
    lines += [f"  {line}" for line in (*_chart(sweep, width, unicode), *rate_axis(first, last, width, unicode=unicode))]
    words = _words(sweep)
    head, *more = wrap(words, width)
    lines += ["", f"  {paint(head, 'bold', stream)}", *(f"  {paint(line, 'bold', stream)}" for line in more)]
    saved = "Nothing was saved." if saved_to is None else f"Saved: {visible_line(str(saved_to / 'learning-rates.json'))}"
    return [*lines, f"  {saved}", ""]


def _chart(sweep: RateSweep, width: int, unicode: bool) -> list[str]:
    place = _place(sweep.rates[0], sweep.rates[-1])
    curve = Curve()
    for rate, loss in zip(sweep.rates, sweep.smoothed, strict=True):
        curve.add(place(rate), loss)
    marks, suggested = [], sweep.suggested
    if suggested is not None:
        nearest = min(range(len(sweep.rates)), key=lambda at: abs(math.log(sweep.rates[at] / suggested)))
        marks = [(place(sweep.rates[nearest]), sweep.smoothed[nearest])]
    return draw(curve, marks, width, HEIGHT, unicode=unicode)


def _words(sweep: RateSweep) -> str:
    if sweep.suggested is None:
        return f"No suggestion: {sweep.reason}."
    end = f" and has diverged at {sweep.rates[-1]:.2g}" if sweep.diverged else ""
    if sweep.lr is None:
        return f"Suggested: {sweep.suggested:g} times the rates of the optimizer, which has no option lr: {sweep.reason}{end}."
    return f"Suggested: --optimizer.lr {sweep.suggested:g} (here it was {sweep.lr:g}): {sweep.reason}{end}."


def _place(first: float, last: float) -> Callable[[float], float]:
    """Return what finds a rate's place between the first and the last one, from 0 to 1, on a logarithmic axis."""
    span = math.log(last / first) if last > first else 1.0
    return lambda rate: math.log(rate / first) / span


def rate_axis(first: float, last: float, width: int, *, unicode: bool = True) -> list[str]:
    """Return a logarithmic axis below a curve of the same width, with a mark and a label at each power of ten."""
    corner, line, tick = ("└", "─", "┴") if unicode else ("+", "-", "+")
    across = max(8, width - GUTTER)
    place = _place(first, last)
    marks, labels = [line] * across, [" "] * across
    for exponent in range(math.ceil(math.log10(first)), math.floor(math.log10(last)) + 1):
        column = min(across - 1, int(place(10.0**exponent) * across))
        marks[column] = tick
        label = f"{10.0**exponent:g}"
        start = max(0, min(across - len(label), column - len(label) // 2))
        around = labels[max(0, start - 1) : start + len(label) + 1]
        if all(cell == " " for cell in around):
            labels[start : start + len(label)] = label
    return [f"{' ' * (GUTTER - 1)}{corner}{''.join(marks)}", (" " * GUTTER + "".join(labels)).rstrip()]
