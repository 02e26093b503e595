"""What a run writes while it trains: metrics.jsonl and samples.jsonl, and result.json, which seals both at its end."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pentad.system.errors import EngineError
from pentad.system.files import facts_of_file, read_json, write_atomically
from pentad.system.opening import open_plain

METRICS, SAMPLES, RESULT = "metrics.jsonl", "samples.jsonl", "result.json"

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


def rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Put in the place of each line what `change` makes of it; None drops it."""
    lines = filter(None, map(change, read_lines(path)))
    write_atomically(path, "".join(json.dumps(line) + "\n" for line in lines))


def seal_result(run: Path, step: int, stop_reason: str) -> None:
    """Say that a run is complete, the last thing that it writes; a figure that is edited later shows.

    Args:
        run: its folder.
        step: its last.
        stop_reason: why an observer ended it early, or empty.
    """
    files = {name: facts_of_file(run / name) for name in (METRICS, SAMPLES)}
    result = {"format": 1, "step": step, "stop_reason": stop_reason, "files": files}
    write_atomically(run / RESULT, json.dumps(result, indent=1) + "\n")


def sealed_step(run: Path) -> int | None:
    """Return the step at which a run was complete, or None: whatever its records hold, and without reading them."""
    try:
        step = read_json(run / RESULT).get("step")
    except EngineError:
        return None
    return step if type(step) is int else None


def is_sealed(run: Path) -> bool:
    """Say whether a run is complete and its records are, byte for byte, those that it wrote."""
    try:
        files = read_json(run / RESULT).get("files")
        return isinstance(files, dict) and all(files.get(name) == facts_of_file(run / name) for name in (METRICS, SAMPLES))
    except (EngineError, OSError):
        return False
