"""How wide text is, and how it is fitted into a width, without asking a browser.

The widths are those of DejaVu Sans, the widest of the fonts that a system shows by default, so an estimate is rarely too low.
"""

from __future__ import annotations

import functools
import unicodedata

from pentad_cli.terminal.text import visible_line

FONT = 13
"""Size of letters in pixels, in both sizes of a chart."""

LINE = 16
"""Height of a line of text in pixels."""

_WIDTHS = {0.33: " .,:;|!'ijlI[]()/\\", 0.42: 'ftr-\u2013"`', 0.84: "+<>=~\u2212\u00b1\u2190\u2192#", 0.96: "mMwW%@\u2026"}
_EM = {letter: width for width, letters in _WIDTHS.items() for letter in letters}


@functools.lru_cache(maxsize=4096)
def width(text: str, size: float = FONT) -> float:
    """Return how wide a text is at most, in pixels."""
    return sum(_em(letter) for letter in visible_line(text)) * size


def _em(letter: str) -> float:
    if letter in _EM:
        return _EM[letter]
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    return 0.72 if letter.isupper() or ord(letter) > 0x250 else 0.64


def fit(text: str, room: float, size: float = FONT) -> str:
    """Cut a text to a width, with an ellipsis where something was cut."""
    text = visible_line(text)
    if width(text, size) <= room:
        return text
    while text and width(text + "\u2026", size) > room:
        text = text[:-1]
    return text.rstrip(" ,") + "\u2026"


def wrap(text: str, room: float, lines: int = 2, size: float = FONT) -> list[str]:
    """Break a text into at most so many lines of a width; what does not fit the last is cut with an ellipsis."""
    words = visible_line(text).split(" ")
    broken: list[str] = []
    while words and len(broken) < lines - 1:
        taken = 1
        while taken < len(words) and width(" ".join(words[: taken + 1]), size) <= room:
            taken += 1
        broken.append(fit(" ".join(words[:taken]), room, size))
        words = words[taken:]
    return [*broken, fit(" ".join(words), room, size)] if words else broken
