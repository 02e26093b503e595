"""A run is killed before each of its writes, and each of them fails: what is left must come to the same end."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pentad import resume, run

from ..ground import Ground
from ..harness.batch import Batch, Case, in_slices
from ..harness.child import die, disturbed, failing, in_child

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS)

Start = Callable[[], tuple[Path, Callable[[], Any]]]
"""Returns where a run will be, and what runs it."""

Attack = Callable[[Start, int], Case]
"""What happens before the N-th call."""


def kills(ground: Ground, size: int) -> Iterator[Batch]:
    """Kill a new run, and one that goes on, before each call that touches its folder or its cache."""

    def kill(start: Start, number: int) -> Case:
        path, work = start()
        ended = in_child(disturbed(work, path.parent, number, die))
        wrong = "" if ended.how in ("killed", "ok") else f"{ended.how} {ended.detail}"
        return Case(f"call {number}", ended, wrong or ground.finished(path))

    yield from _at_every_call(ground, size, kill)


def failures(ground: Ground, size: int) -> Iterator[Batch]:
    """Let each call of a new run, and of one that goes on, fail; the errors take turns."""

    def fail(start: Start, number: int) -> Case:
        error = ERRORS[number % len(ERRORS)]
        path, work = start()
        ended = in_child(disturbed(work, path.parent, number, failing(error)))
        wrong = "" if ended.how in ("ok", "refused") else f"{ended.how} {ended.detail}"
        return Case(f"{errno.errorcode[error]} at call {number}", ended, wrong or ground.finished(path))

    yield from _at_every_call(ground, size, fail)


def lost_cache(ground: Ground, size: int) -> Iterator[Batch]:
    """Delete the whole cache before each call of a run: it makes anew what it needs."""

    def lose(start: Start, number: int) -> Case:
        path, work = start()
        cache = path.parent / "cache"
        ended = in_child(disturbed(work, path.parent, number, lambda: shutil.rmtree(cache, ignore_errors=True)))
        wrong = "" if ended.how in ("ok", "refused") else f"{ended.how} {ended.detail}"
        return Case(f"no cache at call {number}", ended, wrong or ground.finished(path))

    start = _starts(ground)["a new run with an empty cache"]
    yield from _of_start(ground, "a new run that loses its cache", start, size, lose)


def small_files(ground: Ground, size: int) -> Iterator[Batch]:
    """Let no file grow beyond a size, as on a full disk: every write of every library fails in the middle."""

    def limit(start: Start, most: int) -> Case:
        path, work = start()

        def limited() -> Any:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
            return work()

        ended = in_child(limited)
        wrong = "" if ended.how in ("ok", "refused") else f"{ended.how} {ended.detail}"
        return Case(f"no file beyond {most} bytes", ended, wrong or ground.finished(path))

    largest = max(file.stat().st_size for file in ground.complete.rglob("*") if file.is_file())
    sizes = range(0, largest + 2, max(1, largest // 200))
    for name, start in _starts(ground).items():
        yield from _sliced(name, sizes, size, lambda most, start=start: limit(start, most))


def _at_every_call(ground: Ground, size: int, attack: Attack) -> Iterator[Batch]:
    for name, start in _starts(ground).items():
        yield from _of_start(ground, name, start, size, attack)


def _of_start(ground: Ground, name: str, start: Start, size: int, attack: Attack) -> Iterator[Batch]:
    path, work = start()
    calls = ground.calls_of(name, work, path.parent)
    shutil.rmtree(path.parent)
    yield from _sliced(name, range(1, calls + 1), size, lambda number: attack(start, number))


def _sliced(name: str, numbers: range, size: int, attack: Callable[[int], Case]) -> Iterator[Batch]:
    for own in in_slices(numbers, size):
        yield Batch(f"{name}, {own[0]} to {own[-1]}", lambda own=own: map(attack, own), name)


def _starts(ground: Ground) -> dict[str, Start]:
    def new() -> tuple[Path, Callable[[], Any]]:
        path = ground.place() / "run"
        return path, lambda: run(ground.recipe, out=path)

    def cold() -> tuple[Path, Callable[[], Any]]:
        path = ground.place() / "run"

        def work() -> Any:
            os.environ["PENTAD_CACHE"] = str(path.parent / "cache")
            return run(ground.recipe, out=path)

        return path, work

    def going_on() -> tuple[Path, Callable[[], Any]]:
        path = ground.copy(ground.half)
        return path, lambda: resume(path)

    return {
        "a new run": new,
        "a new run with an empty cache": cold,
        "a resumed run": going_on,
    }
