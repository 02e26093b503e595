"""Figures in the units that people use."""

from __future__ import annotations


def count(n: int, word: str) -> str:
    """Return `1 seed`, `3 seeds`."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def number(value: float) -> str:
    """Return a count in few characters: 950, 12.3k, 4.56M, 7.8e+12."""
    if value < 1e4:
        return f"{value:.0f}"
    for scale, letter in ((1e12, "e12"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= scale * 0.9995:
            return f"{value / scale:.3g}{letter}"
    return f"{value:.0f}"


def size(value: float) -> str:
    """Return bytes as kB, MB or GB."""
    for scale, letter in ((1e9, "GB"), (1e6, "MB")):
        if value >= scale:
            return f"{value / scale:.3g} {letter}"
    return f"{value / 1e3:.3g} kB"


def duration(seconds: float) -> str:
    """Return a time: 4.2 s, 12 min 05 s, 3 h 20 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
