"""What a run writes while it trains: metrics.jsonl and samples.jsonl, and result.json, which seals both at its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pentad.system.errors import EngineError
from pentad.system.files import facts_of_file, read_json, write_atomically
from pentad.system.json_lines import read_lines

METRICS, SAMPLES, RESULT = "metrics.jsonl", "samples.jsonl", "result.json"


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
