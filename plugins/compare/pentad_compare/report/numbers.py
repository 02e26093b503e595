"""Figures of a comparison in words, on top of `pentad_cli.tools`."""

from __future__ import annotations

from collections.abc import Sequence

from pentad_compare.records import Comparison, Difference

MINUS = "\u2212"


def digits(comparison: Comparison) -> int:
    """Return how many decimals scores need, so that the smallest difference does not vanish."""
    sizes = [abs(one.mean) for group in comparison.groups for one in group.differences if one.mean]
    return 4 if sizes and min(sizes) < 0.01 else 3


def bits(value: float | None, decimals: int) -> str:
    """Return a score as text, a dash for none."""
    return "–" if value is None else f"{value:.{decimals}f}"


def signed(value: float, decimals: int) -> str:
    """Say a difference with its sign; a rounded zero has none.

    >>> [signed(value, 2) for value in (0.208, -0.208, -0.001)]
    ['+0.21', '−0.21', '0.00']
    """
    words = f"{abs(value):.{decimals}f}"
    if not float(words):
        return words
    return ("+" if value > 0 else MINUS) + words


def difference(one: Difference, decimals: int) -> str:
    """Say a difference and its interval: `−0.21 [−0.24, −0.18]`."""
    if one.mean is None:
        return "–"
    words = signed(one.mean, decimals)
    if one.low is None or one.high is None:
        return words
    return f"{words} [{signed(one.low, decimals)}, {signed(one.high, decimals)}]"


def percent(share: float | None) -> str:
    """Say a share.

    >>> [percent(share) for share in (None, 0, 0.0004, 0.042, 0.42, 1)]
    ['–', '0%', '0.04%', '4.2%', '42%', '100%']
    """
    if share is None:
        return "–"
    return f"{share * 100:.3g}%" if share < 0.001 else f"{share * 100:.2g}%" if share < 0.995 else f"{share * 100:.0f}%"


def mean(values: Sequence[float]) -> float:
    """Return the mean, 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def listing(words: Sequence[str], most: int = 6) -> str:
    """Join words as a sentence does; of many, the first ones and how many more.

    >>> [listing(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])]
    ['a', 'a and b', 'a, b and c']
    """
    if len(words) > most:
        words = [*words[: most - 1], f"{len(words) - most + 1} more"]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
