"""What a run writes while it trains: metrics.jsonl and samples.jsonl, and result.json, which seals them at its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pentad.system.errors import EngineError
from pentad.system.files import facts_of_file, read_json, write_atomically
from pentad.system.json_lines import read_lines

METRICS, SAMPLES, RESULT = "metrics.jsonl", "samples.jsonl", "result.json"

SEALED = (METRICS, SAMPLES, "recipe.toml", "engine.json")
"""What the end of a run seals: its records, and by what recipe and of what text they are."""


def rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Put in the place of each line what `change` makes of it; None drops it."""
    lines = filter(None, map(change, read_lines(path)))
    write_atomically(path, "".join(json.dumps(line) + "\n" for line in lines))


def seal_result(run: Path, step: int, stop_reason: str) -> None:
    """Say that a run is complete, the last thing that it writes; a figure that is edited or swapped later shows.

    Args:
        run: its folder.
        step: its last.
        stop_reason: why an observer ended it early, or empty.
    """
    files = {name: _facts(run / name) for name in SEALED}
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
    """Say whether a run is complete and its records are, byte for byte, those that it wrote, by the recipe that it had."""
    try:
        files = read_json(run / RESULT).get("files")
        return isinstance(files, dict) and all(name in files and files[name] == _facts(run / name) for name in SEALED)
    except (EngineError, OSError):
        return False


def changed_records(run: Path) -> list[str]:
    """Return which of the files that the end of a run sealed are others now: edited, or written to by a run that goes on."""
    try:
        files = read_json(run / RESULT).get("files")
        return [name for name in SEALED if isinstance(files, dict) and name in files and files[name] != _facts(run / name)]
    except (EngineError, OSError):
        return []


def _facts(path: Path) -> dict[str, Any] | None:
    """Return size and digest of a file; None where there is none."""
    try:
        return facts_of_file(path)
    except FileNotFoundError:
        return None
