"""A run is killed before each of its writes, and each of them fails: what is left must come to the same end."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pentad import resume, run

from .child import die, disturbed, failing, in_child
from .ground import Case, Ground

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS)

Start = Callable[[], tuple[Path, Callable[[], Any]]]
"""Returns where a run will be, and what runs it."""


def kills(ground: Ground, stride: int) -> Iterator[Case]:
    """Kill a new run, and one that goes on, before every `stride`-th call that touches its folder."""
    for name, start in _starts(ground).items():
        for number in range(1, 10_000, stride):
            path, work = start()
            ended = in_child(disturbed(work, path.parent, number, die))
            if ended.how == "ok":
                break
            wrong = "" if ended.how == "killed" else f"{ended.how} {ended.detail}"
            yield Case(f"{name} killed before call {number}", ended, wrong or ground.finished(path))


def failures(ground: Ground, stride: int) -> Iterator[Case]:
    """Let every `stride`-th call of a new run, and of one that goes on, fail; the errors take turns."""
    for name, start in _starts(ground).items():
        for turn, number in enumerate(range(1, 10_000, stride)):
            error = ERRORS[turn % len(ERRORS)]
            path, work = start()
            mark = path.parent.with_suffix(".reached")
            ended = in_child(disturbed(work, path.parent, number, failing(error, mark)))
            if not mark.exists():
                break
            wrong = "" if ended.how in ("ok", "refused") else f"{ended.how} {ended.detail}"
            yield Case(f"{name} with {errno.errorcode[error]} at call {number}", ended, wrong or ground.finished(path))


def _starts(ground: Ground) -> dict[str, Start]:
    def new() -> tuple[Path, Callable[[], Any]]:
        path = ground.place() / "run"
        return path, lambda: run(ground.recipe, out=path)

    def going_on() -> tuple[Path, Callable[[], Any]]:
        path = ground.copy(ground.half)
        return path, lambda: resume(path)

    return {"a new run": new, "a resumed run": going_on}
