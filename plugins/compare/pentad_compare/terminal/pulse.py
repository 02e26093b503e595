"""A status line of the runs that are training, read from the files that they write."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from pentad import Task

SECONDS = 1.0
TAIL = 4096


class Pulse:
    """Calls `show` with a line of text every second, until its `with` block ends.

    Args:
        tasks: those that have not ended; the caller removes a task when it ends.
        show: shows the line.
    """

    def __init__(self, tasks: Sequence[Task], show: Callable[[str], None]) -> None:
        self.tasks = list(tasks)
        self._show = show
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Pulse:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(SECONDS):
            training = [task for task in list(self.tasks) if task.work.endswith(":train")]
            lines = [f"{task.name}: {line}" for task in training if (line := _progress(task.folder / "run"))]
            if lines:
                self._show("   ".join(lines[:3]))


def _progress(run: Path) -> str:
    """Return how far a run is, or an empty string before its first step."""
    lines = _last_lines(run / "metrics.jsonl")
    steps = [line for line in lines if line.get("kind") == "step"]
    scores = [line for line in lines if line.get("kind") == "evaluation"]
    if not steps:
        return ""
    score = f", {scores[-1][scores[-1]['primary']]:.3f} {scores[-1]['primary'].replace('_', ' ')}" if scores else ""
    return f"step {steps[-1]['step']}, loss {steps[-1]['loss']:.3f}{score}"


def _last_lines(path: Path) -> list[Mapping[str, Any]]:
    """Return the whole lines in the last few KB of a file of JSON lines."""
    lines: list[Mapping[str, Any]] = []
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        for line in file.read().splitlines():
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    lines.append(value)
    return lines
