"""Where words go: results to stdout, everything else to stderr; colours only where a person looks."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from pentad_cli.terminal.text import visible

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36"}

_NUMBERS = r"\[\n\s+(-?[\d.e+-]+(?:,\n\s+-?[\d.e+-]+)*)\n\s*\]"  # compiled when it is first used


def is_terminal(stream: TextIO) -> bool:
    """Say whether a person looks at the stream through a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def has_colour(stream: TextIO) -> bool:
    """Say whether colours are wanted there (https://no-color.org; FORCE_COLOR overrules the kind of stream)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(stream)


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """Give text a style (`"bold red"`) for a stream that shows it; unchanged for one that does not."""
    if not text or not has_colour(stream or sys.stdout):
        return text
    return f"\x1b[{';'.join(_CODES[word] for word in style.split())}m{text}\x1b[0m"


def say(text: str = "", *, err: bool = False) -> None:
    """Write a line at once; a message to a stderr that nobody reads any more is dropped, which must not abort the command."""
    if not err:
        print(text, flush=True)
        return
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """Write a result for machines. Only ASCII, so that no control character is in it and any encoding carries it."""
    import json

    text = json.dumps(plain(value), indent=2, allow_nan=False)
    # Lists of numbers (token ids) go on one line; a line break in JSON text never lies within a string.
    say(re.sub(_NUMBERS, lambda match: f"[{', '.join(number.strip() for number in match[1].split(','))}]", text))


def plain(value: Any) -> Any:
    """Return records, paths, tuples and infinite numbers as what JSON has."""
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return None
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    return str(value)


def terminal_width(limit: int = 100) -> int:
    """Return the columns to write in; 80 where there is no terminal."""
    return min(limit, _columns())


def _columns() -> int:
    """Do what `shutil.get_terminal_size` does; importing shutil would bring five archive formats to every listing."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):  # no stream, a closed one, or one that is no terminal
        return 80


def cells(text: str) -> int:
    """Return the columns that a text takes: wide characters take two, those that are drawn on or between others none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def wrap(text: str, width: int) -> list[str]:
    """Break a text at spaces, but not at no-break spaces, into lines of at most `width` columns; longer words stand alone."""
    lines: list[str] = []
    for word in filter(None, text.split(" ")):
        if lines and cells(lines[-1]) + 1 + cells(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def fold(text: str, width: int) -> list[str]:
    """Break a text into lines of at most `width` columns, behind spaces where there are any, keeping every character."""
    lines = []
    for line in text.split("\n"):
        part, taken = "", 0
        for character in line:
            wide = cells(character)
            if taken + wide > width:
                # Not in front of an indented line's first word, which would leave an empty line.
                whole = part.rfind(" ") + 1 if part.strip() and " " in part.lstrip() else len(part)
                lines.append(part[:whole])
                part = part[whole:]
                taken = cells(part)
            part, taken = part + character, taken + wide
        lines.append(part)
    return lines


def table(rows: Iterable[Sequence[str]], *, header: Sequence[str] = (), styles: Sequence[str] = (), indent: int = 2) -> str:
    """Lay out rows in columns; the last column wraps within the terminal.

    Args:
        rows: the cells, as text that may come from anywhere: control characters are spelled.
        header: titles of the columns.
        styles: how to paint each column, empty for not at all.
        indent: spaces in front of each row.
    """
    body = [[visible(cell) for cell in row] for row in rows]
    every = [list(header), *body] if header else body
    if not every:
        return ""
    widths = [max(cells(row[column]) for row in every) for column in range(len(every[0]) - 1)]
    room = max(20, terminal_width() - indent - sum(widths) - 2 * len(widths))
    lines = [_row(header, widths, room, ["dim"] * len(header), indent)] if header else []
    lines += [_row(row, widths, room, styles, indent) for row in body]
    return "\n".join(lines)


def _row(row: Sequence[str], widths: Sequence[int], room: int, styles: Sequence[str], indent: int) -> str:
    styles = [*styles, *[""] * (len(row) - len(styles))]
    left = " " * indent
    for cell, width, style in zip(row, widths, styles, strict=False):
        left += (paint(cell, style) if style else cell) + " " * (width - cells(cell) + 2)
    margin = " " * (indent + sum(widths) + 2 * len(widths))
    last = wrap(row[-1], room)
    painted = [paint(line, styles[len(row) - 1]) if styles[len(row) - 1] else line for line in last]
    return (left + f"\n{margin}".join(painted)).rstrip()
