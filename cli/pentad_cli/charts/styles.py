"""The style sheets of the charts: colours and rules, and the colours on dark paper."""

from __future__ import annotations

from pathlib import Path


def chart_style() -> str:
    """Return the CSS of the charts: variables of colours on white, and the rules of marks, lines and text."""
    return _read("chart.css")


def dark_style() -> str:
    """Return the CSS that sets the same variables on dark paper, where the reader's system asks for it."""
    return _read("dark.css")


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
