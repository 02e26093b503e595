"""From values to pixels, and the values worth a tick.

Ticks are at 1, 2 or 5 times a power of ten, the steps that people read without effort (Heckbert, Nice numbers for graph
labels, 1990).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from pentad_cli.charts.text import width

_PREFIXES = (("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15), ("E", 1e18))


@dataclass(frozen=True)
class Scale:
    """An axis: `low` and `high` are values, `start` and `end` their pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value, outside the axis too."""
        share = (self._turn(value) - self._turn(self.low)) / (self._turn(self.high) - self._turn(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Return at most about so many round values on the axis."""
        ticks = _log_ticks(self.low, self.high, most) if self.log else []
        return ticks if len(ticks) > 2 else linear_ticks(self.low, self.high, most)

    def _turn(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.log else value


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten within bounds, about `most` of them."""
    step = nice_step((high - low) / max(most, 1))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) if abs(step) < 1e6 else index * step for index in range(first, last + 1)]


def nice_step(wanted: float) -> float:
    """Return the nearest of 1, 2 or 5 times a power of ten.

    >>> [nice_step(step) for step in (0.9, 1.6, 3.0, 4.0, 8.0)]
    [1.0, 2.0, 2.0, 5.0, 10.0]
    """
    power = 10.0 ** math.floor(math.log10(wanted))
    return min((times * power for times in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / wanted)))


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for times in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{digit}e{power}") for power in powers for digit in times]
        ticks = [value for value in ticks if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(ticks) <= most + 2:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]


def roomy_ticks(scale: Scale, most: int) -> list[tuple[float, str]]:
    """Return ticks and their words: as many up to about `most` as stand clear of each other."""
    for wanted in range(most, 0, -1):
        ticks = scale.ticks(wanted)
        words = tick_words(ticks)
        ends = [(scale(tick) - width(word) / 2, scale(tick) + width(word) / 2) for tick, word in zip(ticks, words, strict=True)]
        if all(before[1] + 8 <= after[0] for before, after in itertools.pairwise(ends)):
            break
    return [*zip(ticks, words, strict=True)]


def tick_words(ticks: Sequence[float]) -> list[str]:
    """Say ticks with the decimals that tell them apart, and none more."""
    for decimals in range(7):
        if all(math.isclose(round(tick, decimals), tick, rel_tol=1e-6, abs_tol=1e-12) for tick in ticks):
            break
    spread = max(ticks, default=0) > 20 * min((abs(tick) for tick in ticks if tick), default=1) and min(ticks, default=0) > 0
    return [_plain(tick) if spread else f"{tick:,.{decimals}f}".replace("-", "\u2212") for tick in ticks]


def _plain(tick: float) -> str:
    return f"{tick:,.0f}" if tick >= 1000 else f"{tick:g}"


def prefix(highest: float) -> tuple[str, float]:
    """Return the decimal prefix that suits an axis up to a value: `("M", 1e6)`."""
    return next((pair for pair in reversed(_PREFIXES) if highest >= pair[1]), _PREFIXES[0])


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """Return bounds around values with some air; a single value gets bounds too."""
    low, high = min(values), max(values)
    air = (high - low) * share or max(abs(high) * share, 1e-3)
    return low - air, high + air
