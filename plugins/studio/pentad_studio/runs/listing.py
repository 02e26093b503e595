"""Runs in a list: a few facts of each, read from the ends of its files and kept until these change."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pentad import EngineError
from pentad.tools import locked, open_plain, read_json

_TAIL = 16_384
"""Bytes at the end of metrics.jsonl in which the last lines are looked for."""

QUIET_SECONDS, UNLOCKED_SECONDS = 60.0, 5.0
"""A run that is not complete and has written nothing for so long is not being trained: where its folder has no lock, and where
the lock is free, as another machine's may seem."""


@dataclass(frozen=True)
class Summary:
    """A run in a list.

    Args:
        name: of its folder.
        model, tokenizer, builder: names of its stages.
        step: its last that was logged.
        score: the last on held-out text, and its name; None where there is none.
        state: `done`, `training` or `stopped`.
        written: when, in seconds since 1970.
        problem: why it cannot be read; empty where it can.
    """

    name: str
    model: str = ""
    tokenizer: str = ""
    builder: str = ""
    step: int = 0
    score: float | None = None
    scored: str = ""
    state: str = "stopped"
    written: float = 0.0
    problem: str = ""


class Listing:
    """The runs of a folder.

    Args:
        is_running: whether the studio itself trains a run of a name; False where it did, None where it never has.
    """

    def __init__(self, is_running: Callable[[str], bool | None]) -> None:
        self._is_running = is_running
        self._known: dict[Path, tuple[tuple[float, ...], Summary]] = {}
        self._lock = threading.Lock()

    def of(self, paths: Sequence[Path]) -> list[Summary]:
        """Return what is said of runs, in their order."""
        return [self._one(path) for path in paths]

    def _one(self, path: Path) -> Summary:
        mark = tuple(_changed(path / name) for name in ("engine.json", "metrics.jsonl", "result.json"))
        with self._lock:
            known = self._known.get(path)
        if known is None or known[0] != mark:
            known = (mark, summary_of(path))
            with self._lock:
                self._known[path] = known
        return _with_state(known[1], path, self._is_running(path.name))


def _changed(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _with_state(found: Summary, path: Path, running: bool | None) -> Summary:
    if found.state == "done" and not running:
        return found
    trained = running or _is_trained(path, time.time() - found.written, ended_here=running is False)
    return Summary(**{**vars(found), "state": "training" if trained else "stopped"})


def _is_trained(path: Path, quiet: float, ended_here: bool) -> bool:
    """Say whether a process trains a run, by the lock that it holds on the folder, and by how long nothing was written."""
    lock = path / ".lock"
    try:
        if not lock.is_file():
            return not ended_here and quiet < QUIET_SECONDS
        with locked(lock, wait=False) as told:
            return not ended_here and quiet < (UNLOCKED_SECONDS if told else QUIET_SECONDS)
    except BlockingIOError:
        return True
    except (OSError, EngineError):
        return not ended_here and quiet < QUIET_SECONDS


def summary_of(path: Path) -> Summary:
    """Return what is said of a run; a damaged one says so."""
    try:
        stages = read_json(path / "engine.json").get("stages")
        names = {stage: _word(stages, stage) for stage in ("model", "tokenizer", "builder")}
        lines = last_lines(path / "metrics.jsonl")
    except (EngineError, OSError) as error:
        return Summary(name=path.name, problem=getattr(error, "message", str(error)))
    step, score, scored = 0, None, ""
    for line in lines:
        at = line.get("step")
        step = max(step, at) if isinstance(at, int) else step
        primary = line.get("primary")
        if line.get("kind") == "evaluation" and isinstance(primary, str) and isinstance(line.get(primary), float | int):
            score, scored = float(line[primary]), primary.replace("_", " ")
    is_done = (path / "result.json").is_file()
    return Summary(
        name=path.name,
        **names,
        step=step,
        score=score,
        scored=scored,
        state="done" if is_done else "stopped",
        written=max(_changed(path / "metrics.jsonl"), _changed(path / "engine.json")),
    )


def _word(stages: Any, stage: str) -> str:
    found = stages.get(stage) if isinstance(stages, dict) else None
    name = found.get("name") if isinstance(found, dict) else None
    return name if isinstance(name, str) else ""


def last_lines(path: Path) -> list[dict[str, Any]]:
    """Return the last whole lines of a JSON-lines file that are objects, as far as they lie in its last bytes.

    Raises:
        EngineError: it is a link, a pipe or a device.
        OSError: it cannot be read.
    """
    try:
        with open_plain(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            data = file.read(_TAIL)
    except FileNotFoundError:
        return []
    found = []
    for line in data.splitlines()[1 if size > _TAIL else 0 :]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
