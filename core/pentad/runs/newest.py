"""Which checkpoints a run has, and the newest whole one of them."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from pentad.runs.checkpoint import Checkpoint, load_checkpoint
from pentad.runs.records import sealed_step
from pentad.system.errors import EngineError
from pentad.system.files import read_json, write_atomically

LATEST = "latest.json"

_ATTEMPTS = 20


def list_checkpoints(run: Path) -> list[int]:
    """Return the steps of the checkpoints of a run, the newest first; none where there is no folder for them.

    Raises:
        EngineError: whether there are any cannot be found out.
    """
    folder = run / "checkpoints"
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not os.path.lexists(folder):
            return []
        raise EngineError(
            f"{folder} cannot be read: {error.strerror}.",
            "Check its rights, and that the disk it is on is there.",
            code="checkpoints-unreadable",
        ) from None
    return sorted((int(name[5:]) for name in names if re.fullmatch(r"step-[0-9]{1,18}", name)), reverse=True)


def note_latest(run: Path, step: int) -> None:
    """Write down beside the checkpoints which is the latest, so that it is missed when it is gone."""
    write_atomically(run / LATEST, json.dumps({"step": step}) + "\n")


def latest_step(run: Path) -> int:
    """Return the step of the last checkpoint that a run saved, whether or not it is still there; 0 before the first."""
    try:
        step = read_json(run / LATEST).get("step")
    except EngineError:
        return 0
    return step if type(step) is int and step > 0 else 0


@dataclass(frozen=True)
class Newest:
    """What there is to go on from.

    Args:
        checkpoint: the newest whole one; None when none was saved yet.
        problems: why newer ones are not used.
    """

    checkpoint: Checkpoint | None
    problems: tuple[str, ...] = ()


def newest_checkpoint(run: Path, *, to_train: bool = True) -> Newest:
    """Find the newest whole checkpoint of a run, also while another process saves new ones and removes old ones.

    Args:
        run: its folder.
        to_train: whether training shall go on from it; else damage to the optimizer's file is no matter.

    Raises:
        EngineError: there were checkpoints, and none of them is left, can be read or is whole.
    """
    for _ in range(_ATTEMPTS):
        missed = max(latest_step(run), sealed_step(run) or 0)  # before the list, which then has it or a newer one
        steps = list_checkpoints(run)
        found = _newest_of(run, steps, to_train)
        # A checkpoint that was removed while it was looked at is not damaged: newer ones have come.
        if not found.problems or set(steps) <= set(list_checkpoints(run)):
            break
    if found.checkpoint is None and steps:
        raise EngineError(
            f"No checkpoint of {run} is whole. {found.problems[0]}", "Use a copy of the run.", code="checkpoints-all-damaged"
        )
    if found.checkpoint is None and missed:
        raise EngineError(
            f"{run} must have the checkpoint of step {missed}, which it saved; found none in {run / 'checkpoints'}.",
            "Put the folder back or mount its disk; to train from the start, use engine run --config with its recipe.toml.",
            code="checkpoints-missing",
        )
    if steps and missed > steps[0]:
        return Newest(found.checkpoint, (f"The checkpoint of step {missed} is gone.", *found.problems))
    return found


def _newest_of(run: Path, steps: list[int], to_train: bool) -> Newest:
    problems: list[str] = []
    for step in steps:
        try:
            return Newest(load_checkpoint(run, step, to_train=to_train), tuple(problems))
        except EngineError as error:
            problems.append(error.message)
    return Newest(None, tuple(problems))
