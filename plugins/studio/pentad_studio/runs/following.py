"""A run that is followed: its figures grow as its files do, and each line is read once."""

from __future__ import annotations

import math
import threading
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pentad.tools import LineFollower

COLUMNS = ("step", "loss", "grad_norm", "learning_rate", "tokens", "seconds", "tokens_per_second")
"""What is kept of each logged step, NaN where it is not said."""

_TIMED = ("seconds", "tokens_per_second")
"""Those that stand under `timing` in a line."""

MOST_STEPS = 12_000
"""Steps of a run that are read when it is first looked at; what is added while it is followed is read whole."""

_STEP = b'{"kind": "step"'
"""How a step begins in a file that pentad wrote."""

SAMPLES = 12
"""Texts that are kept, the newest."""


@dataclass(frozen=True)
class Judged:
    """A score on the way: at which step, after how many tokens and seconds, and what; `factor`: bits per byte of a nat."""

    step: float
    tokens: float
    seconds: float
    score: float
    primary: str
    lower_is_better: bool
    loss: float
    factor: float
    final: bool


@dataclass
class Figures:
    """What a run has written so far.

    Args:
        columns: a number for each logged step.
        judged: scores on the way.
        samples: texts, the newest last, as plain values.
        changes: how often something was added.
    """

    columns: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in COLUMNS})
    judged: list[Judged] = field(default_factory=list)
    samples: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """Return a column (N,), N the logged steps."""
        return np.array(self.columns[name])

    def last(self, name: str) -> float | None:
        """Return the newest number of a column, or None."""
        column = self.columns[name]
        return column[-1] if len(column) and math.isfinite(column[-1]) else None


class Followed:
    """Follows the files of a run.

    Args:
        path: its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.figures = Figures()
        self.version = 0
        self._metrics, self._samples = LineFollower(path / "metrics.jsonl"), LineFollower(path / "samples.jsonl")
        self._lock = threading.Lock()

    def refresh(self) -> int:
        """Read what was added, and return a number that rises with each change.

        Raises:
            EngineError: a file is no plain file.
        """
        with self._lock:
            lines, another = self._metrics.read(fewer)
            samples, also = self._samples.read()
            if another or also:  # resumed: what stood behind the checkpoint is gone from the files
                kept = self.figures if not another else Figures()
                self.figures = Figures(kept.columns, kept.judged, deque(maxlen=SAMPLES))
            self._take(lines)
            self.figures.samples.extend(_samples(samples))
            self.version += bool(lines or samples or another or also)
            return self.version

    def _take(self, lines: Sequence[dict[str, Any]]) -> None:
        # Column by column: a long run's 100,000 lines are taken in a third of the time.
        steps = [line for line in lines if line.get("kind") == "step"]
        timings = [_timing(line) for line in steps]
        for name, column in self.figures.columns.items():
            values = [line.get(name) for line in (timings if name in _TIMED else steps)]
            column.extend([value if type(value) is float else number(value) for value in values])
        found = [_judged(line, _timing(line)) for line in lines if line.get("kind") == "evaluation"]
        self.figures.judged += [judged for judged in found if judged is not None]


def fewer(lines: list[bytes]) -> list[bytes]:
    """Return lines of a long file without most of its steps: every so many stay, the last of them, and all that is no step.

    A chart has 240 points a line, and 100,000 lines of JSON take a second to read.
    """
    steps = [number for number, line in enumerate(lines) if line.startswith(_STEP)]
    if len(steps) <= MOST_STEPS:
        return lines
    kept = {*steps[:: -(-len(steps) // MOST_STEPS)], steps[-1]}
    left_out = set(steps) - kept
    return [line for number, line in enumerate(lines) if number not in left_out]


def _timing(line: dict[str, Any]) -> dict[str, Any]:
    found = line.get("timing")
    return found if isinstance(found, dict) else {}


def number(value: Any) -> float:
    """Return a number that a file says, NaN for anything else."""
    try:
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        return math.nan


def _judged(line: dict[str, Any], timing: dict[str, Any]) -> Judged | None:
    primary = line.get("primary")
    score = number(line.get(primary)) if isinstance(primary, str) else math.nan
    step = number(line.get("step"))
    if not math.isfinite(score) or not math.isfinite(step):
        return None
    loss, bits = number(line.get("loss")), number(line.get("bits_per_byte"))
    return Judged(
        step=step,
        tokens=number(line.get("tokens")),
        seconds=number(timing.get("training_seconds")),
        score=score,
        primary=str(primary),
        lower_is_better=line.get("lower_is_better") is not False,
        loss=loss,
        factor=bits / loss if loss > 0 else math.nan,
        final=line.get("final") is True,
    )


def _samples(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return texts that are text."""
    return [
        {"step": line["step"], "prompt": str(line.get("prompt", "")), "text": line["text"][:20_000]}
        for line in lines
        if isinstance(line.get("text"), str) and isinstance(line.get("step"), int)
    ]
