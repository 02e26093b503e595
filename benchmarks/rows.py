"""What a bench returns, and how it is shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.timing import Ratio


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to measure: `quick` takes tiny shapes and few repetitions, to see that a bench works; `threads` of one operation."""

    quick: bool = False
    threads: int = 1

    def rounds(self, wanted: int) -> int:
        """Return how often to repeat what deserves `wanted` repetitions."""
        return 2 if self.quick else wanted


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured figure.

    Args:
        bench, name: what was measured.
        value, unit: the figure; None where it could not be measured, and then `note` says why.
        wall, cpu: seconds of one repetition (a step, a text, a start), medians.
        against: what it was run in turns with.
        ratio, cpu_ratio: how many times faster it was than that, by the clock and by CPU time.
        note: what the reader should know beside it.
    """

    bench: str
    name: str
    value: float | None
    unit: str
    wall: float | None = None
    cpu: float | None = None
    against: str = ""
    ratio: Ratio | None = None
    cpu_ratio: Ratio | None = None
    note: str = ""

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return dataclasses.asdict(self)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as text, one line each, in columns."""
    head = ("", "", "", "wall s", "CPU s", "times as fast as", "wall", "CPU", "")
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    right = (1, 3, 4)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def _cells(row: Row) -> tuple[str, ...]:
    value = "-" if row.value is None else number(row.value)
    times = ("" if row.wall is None else number(row.wall), "" if row.cpu is None else number(row.cpu))
    ratios = ("" if row.ratio is None else str(row.ratio), "" if row.cpu_ratio is None else str(row.cpu_ratio))
    return (f"{row.bench}: {row.name}", value, row.unit, *times, row.against, *ratios, row.note)


def number(value: float) -> str:
    """Return three or four digits of a figure.

    >>> number(12345.6), number(0.012345), number(930.4)
    ('12,346', '0.01235', '930.4')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
