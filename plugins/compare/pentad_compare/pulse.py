"""A line that says what the runs under way are doing, read from the files that they write."""

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
    """Calls `show` with a line of text every second, until it is left.

    Args:
        tasks: that are not over; the caller takes out those that are.
        show: shows the line.
    """

    def __init__(self, tasks: Sequence[Task], show: Callable[[str], None]) -> None:
        self.tasks = list(tasks)
        self._show = show
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Pulse:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(SECONDS):
            training = [task for task in list(self.tasks) if task.work.endswith(":train")]
            told = [f"{task.name}: {line}" for task in training if (line := _progress(task.folder / "run"))]
            if told:
                self._show("   ".join(told[:3]))


def _progress(run: Path) -> str:
    """Return how far a run is, or an empty string where none is under way."""
    lines = _last_lines(run / "metrics.jsonl")
    steps = [line for line in lines if line.get("kind") == "step"]
    scores = [line for line in lines if line.get("kind") == "evaluation"]
    if not steps:
        return ""
    score = f", {scores[-1]['bits_per_byte']:.3f} bits per byte" if scores else ""
    return f"step {steps[-1]['step']}, loss {steps[-1]['loss']:.3f}{score}"


def _last_lines(path: Path) -> list[Mapping[str, Any]]:
    """Return the whole lines in the last few KB of a file of JSON lines."""
    found: list[Mapping[str, Any]] = []
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        for line in file.read().splitlines():
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    found.append(value)
    return found
