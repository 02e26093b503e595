"""The results of tasks, each a file of JSON with a digest: one that was damaged, edited, or is another task's is no result."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pentad import EngineError
from pentad.tools import is_stamped, read_json, stamped, write_atomically
from pentad_compare.records import from_dict

PLAN, OUTCOME, TEXTS, FIGURES, CLOCK = "plan.json", "outcome.json", "texts.json", "figures.json", "clock.json"
"""The files that tasks write."""

BAD = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading values raises that are not of the kind that they should be."""


def place_of(folder: Path) -> str:
    """Return by which name a task's folder is known: its arm's, which has a digest of all that decides it, and its own."""
    return f"{folder.parent.name}/{folder.name}"


def write_result(path: Path, values: Mapping[str, Any], place: str) -> None:
    """Write a result atomically.

    Args:
        path: where.
        values: plain values of JSON.
        place: the name of the task's folder, which has another path on another machine.

    Raises:
        OSError: the disk is full or not writable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(stamped(values, f"{place}/{path.name}"), indent=1) + "\n")


def read_result(path: Path, kind: type | None = None) -> dict[str, Any] | None:
    """Return the result of a task; None where there is none.

    Args:
        path: its file; one that is damaged, was edited, or was written for another place is none.
        kind: a dataclass whose fields it must have, where one is given.
    """
    with contextlib.suppress(EngineError, OSError, *BAD):
        values = read_json(path) if path.is_file() else {}
        if not is_stamped(values, f"{place_of(path.parent)}/{path.name}"):
            return None
        if kind is not None:
            from_dict(kind, {field.name: values[field.name] for field in dataclasses.fields(kind)})
        return values or None
    return None


def records_of(run: Path) -> str | None:
    """Return what a complete run's records are, by the digests of result.json; None where it has not ended."""
    with contextlib.suppress(EngineError, OSError):
        return json.dumps(read_json(run / "result.json"), sort_keys=True)
    return None
