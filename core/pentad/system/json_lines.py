"""JSON lines, as metrics.jsonl has them, read as far as they can be."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pentad.system.errors import EngineError
from pentad.system.opening import open_plain

_SHOWN = 5
"""Numbers of damaged lines that a warning lists."""


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a JSON-lines file that can be read; none where there is no file.

    A half line at the end is what a crash leaves, and is skipped. Any other that is not a JSON object is left out with a
    warning that says how many there are and where.

    Raises:
        EngineError: it is a link, a pipe or a device, or cannot be read.
    """
    lines, damaged = [], []
    try:
        for number, whole, found in _parsed(path):
            if found is not None:
                lines.append(found)
            elif whole:
                damaged.append(number)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EngineError(
            f"{path} cannot be read: {error.strerror}.", "Check its rights and its disk.", code="saved-file-unreadable"
        ) from None
    if damaged:
        shown = ", ".join(map(str, damaged[:_SHOWN])) + (", …" if len(damaged) > _SHOWN else "")
        warnings.warn(f"{path} is damaged: {len(damaged)} of its lines are left out (line {shown}).", stacklevel=2)
    return lines


def _parsed(path: Path) -> Iterator[tuple[int, bool, dict[str, Any] | None]]:
    """Yield for each line its number, whether it ends as a line does, and what it holds; None where that is no object."""
    with open_plain(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                found = json.loads(line.decode("utf-8"))
            except (ValueError, RecursionError):
                found = None
            yield number, line.endswith(b"\n"), found if isinstance(found, dict) else None
