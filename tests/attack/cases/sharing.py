"""Others read a run while it trains: each reading is a whole checkpoint, or it is said that there is none yet."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator

from pentad import EngineError, open_run, run

from ..ground import Ground
from ..harness.batch import Batch, Case
from ..harness.child import Ended, each_in_child

READINGS = 15
"""Of each of the two readers."""

NOT_YET = ("not-a-run", "checkpoint-missing")
"""What a reader may be told before there is something to read."""


def readers(ground: Ground, trainings: int) -> Iterator[Batch]:
    """Read from two processes while a third trains and keeps one checkpoint."""
    for number in range(trainings):
        yield Batch(f"training {number}", lambda: _read(ground))


def _read(ground: Ground) -> Iterator[Case]:
    place = ground.place()
    path = place / "run"
    trainer = os.fork()
    if trainer == 0:
        _train_for_ever(ground, path)

    def read() -> str:
        try:
            open_run(path).generate("1 c", max_tokens=4)
        except EngineError as error:
            return "" if error.code in NOT_YET else error.code
        return ""

    try:
        both = [each_in_child([read] * READINGS) for _ in range(2)]
        for endings in zip(*both, strict=True):
            for ended in endings:
                yield Case("a reading", ended, _why_wrong(ended))
    finally:
        os.kill(trainer, signal.SIGKILL)
        os.waitpid(trainer, 0)
        shutil.rmtree(place, ignore_errors=True)


def _why_wrong(ended: Ended) -> str:
    return ended.detail if ended.how == "ok" else f"{ended.how} {ended.detail}"


def _train_for_ever(ground: Ground, path: os.PathLike[str]) -> None:
    reporting = {"log_every": 3, "keep_checkpoints": 1, "checkpoint_seconds": 1e-9}
    try:
        run(ground.recipe.replace(reporting=reporting, training={"steps": 10_000}), out=path)
    finally:
        os._exit(0)
