"""Words and numbers as people read them, and text made safe for a terminal."""

from __future__ import annotations

import re
import unicodedata

_UNSAFE = (  # a text, which `re` compiles when it is first used
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls but tab and newline: they move the cursor, change colours and titles
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls: they show text in another order
    "\u2028\u2029\ud800-\udfff]"
)

_OTHER_SPACES = "[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]"  # they look like the usual one

_UNSEEN = (  # drawn only with their neighbours, if at all: joiners, selectors, fillers, the mark of byte order, tags
    "[\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2064\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e0fff]+"
)


def visible(text: str) -> str:
    r"""Spell what a terminal would obey instead of show; tabs and newlines stay.

    >>> visible("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_UNSAFE, lambda match: _escape(match.group()), text)


def visible_line(text: str) -> str:
    r"""Spell tabs and newlines too, so that the text stays on its line.

    >>> visible_line("one\ntwo")
    'one\\ntwo'
    """
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def visible_bytes(data: bytes) -> str:
    r"""Spell a token's bytes on one line, so that all of them are seen where the token stands by itself.

    Bytes that are no whole character are written `\xe2`. Spaces other than the usual one are spelled, and what draws nothing at
    either end; a mark that would be drawn on the letter before it stands on a dotted circle, as in tables of Unicode.

    >>> visible_bytes(b" caf\xc3")
    ' caf\\xc3'
    >>> visible_bytes("a\u3000\u200d".encode())
    'a\\u3000\\u200d'
    """
    text = visible_line(data.decode("utf-8", errors="backslashreplace"))
    if text.isascii():
        return text
    text = re.sub(f"{_OTHER_SPACES}|^{_UNSEEN}|{_UNSEEN}$", lambda match: "".join(map(_escape, match.group())), text)
    return f"◌{text}" if unicodedata.category(text[0])[0] == "M" else text


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def count(number: float) -> str:
    """Say a whole number with thousands marked: `1,204`."""
    return f"{number:,.0f}"


def short(number: float) -> str:
    """Say a number in three digits and a unit.

    >>> [short(n) for n in (7, 950, 1204, 12_400, 4_212_000, 2.1e15)]
    ['7', '950', '1.20k', '12.4k', '4.21M', '2.10P']
    """
    for unit in ("", "k", "M", "G", "T", "P", "E"):
        if abs(number) < 999.5 or unit == "E":
            break
        number /= 1000
    if not unit:
        return f"{number:.0f}"
    return f"{number:.{2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0}f}{unit}"


def quantity(number: float, unit: str) -> str:
    """Say an amount of a unit.

    >>> quantity(4.2e8, "FLOP")
    '420 MFLOP'
    """
    words = short(number)
    return f"{words[:-1]} {words[-1]}{unit}" if words[-1].isalpha() else f"{words} {unit}"


def size(n_bytes: float) -> str:
    """Say an amount of bytes.

    >>> [size(n) for n in (1, 999, 412_345, 2.5e9)]
    ['1 byte', '999 bytes', '412 kB', '2.50 GB']
    """
    return plural(n_bytes, "byte") if abs(n_bytes) < 999.5 else quantity(n_bytes, "B")


def duration(seconds: float) -> str:
    """Say a time in its two largest units.

    >>> [duration(s) for s in (0.42, 8, 151, 3725, 200_000)]
    ['0.4 s', '8 s', '2 min 31 s', '1 h 02 min', '2 d 7 h']
    """
    if seconds < 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def plural(number: float, noun: str) -> str:
    """Say how many: `1 step`, `2 steps`, `2 passes`."""
    ending = "es" if noun.endswith(("s", "x", "ch")) else "s"
    return f"{count(number)} {noun if number == 1 else noun + ending}"
