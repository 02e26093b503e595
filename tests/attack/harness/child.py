"""Work in a process of its own, in which the system can fail or the process can die at the N-th call."""

from __future__ import annotations

import builtins
import contextlib
import importlib
import io
import json
import os
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pentad import EngineError
from pentad.runs import initial, saving
from pentad.system.errors import is_out_of_memory

SECONDS, IDLE, MOST = 60, 20, 300
"""A process counts as hung after so many seconds if it computes nothing for so many; after that many in any case."""

CALLS = ("open", "mkdir", "rename", "replace", "fsync", "unlink", "rmdir", "scandir", "listdir", "chmod")


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Args:
        how: `ok`, `refused` (an error with a code), `bug` (any other error), `killed` (by itself) or `hung`.
        detail: what the work returned, the code, or the traceback.
    """

    how: str
    detail: str = ""


def in_child(work: Callable[[], Any]) -> Ended:
    """Do work in a forked process, and say how it ended."""
    return next(each_in_child([work]))


def prepared(work: Callable[[], Any]) -> None:
    """Do work that must succeed in a forked process, and import what it imported, which later processes then need not.

    Raises:
        AssertionError: it ended otherwise.
    """

    def imported() -> str:
        before = set(sys.modules)
        work()
        return " ".join(set(sys.modules) - before)

    ended = in_child(imported)
    assert ended.how == "ok", ended
    for name in ended.detail.split():
        with contextlib.suppress(ImportError):  # a plugin's file
            importlib.import_module(name)


def each_in_child(works: Sequence[Callable[[], Any]]) -> Iterator[Ended]:
    """Do one piece of work after the other in a forked process, and say of each how it ended.

    One that ends the process, or does not end, costs the process alone: a new one goes on behind it.
    """
    done = 0
    while done < len(works):
        with contextlib.closing(_Child(works[done:])) as child:
            ended: Ended | None = Ended("ok")
            while ended and done < len(works):
                ended = child.next()
                done += 1
                yield ended or child.end()


class _Child:
    """A forked process that does works one by one and says on a line of a pipe how each ended."""

    def __init__(self, works: Sequence[Callable[[], Any]]) -> None:
        self._pipe, writing = os.pipe()
        self._said, self._hung = b"", False
        self._number = os.fork()
        if self._number == 0:
            _tell_of_each(works, writing)
        os.close(writing)

    def next(self) -> Ended | None:
        """Return how the next one ended, or None where the process ended or hangs instead."""
        began, wait, computed = time.monotonic(), float(SECONDS), -1.0
        while b"\n" not in self._said:
            if not select.select([self._pipe], [], [], wait)[0]:
                before, computed, wait = computed, _computed(self._number), float(IDLE)
                self._hung = computed - before < 0.1 or time.monotonic() - began > MOST
                if self._hung:
                    return None
                continue
            more = os.read(self._pipe, 1 << 16)
            if not more:
                return None
            self._said += more
        line, _, self._said = self._said.partition(b"\n")
        return Ended(*json.loads(line))

    def end(self) -> Ended:
        """Wait for the process, or end it where it hangs, and say how it ended."""
        status = self._wait(kill=self._hung)
        if self._hung:
            return Ended("hung")
        if status == -signal.SIGKILL:
            return Ended("killed", signal.Signals(-status).name)
        return Ended("bug", f"signal {-status}" if status < 0 else f"it left with {status}")

    def close(self) -> None:
        """End the process, whether or not it is done; nothing of it is left."""
        if self._number:
            self._wait(kill=True)

    def _wait(self, *, kill: bool) -> int:
        os.close(self._pipe)
        if kill:
            os.kill(self._number, signal.SIGKILL)
        number, self._number = self._number, 0
        return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def _computed(number: int) -> float:
    """Return the seconds that a process has computed, with its children that have ended; a busy machine leaves it few."""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _tell_of_each(works: Sequence[Callable[[], Any]], writing: int) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for work in works:
        ended = _outcome(work)
        line = json.dumps([ended.how, ended.detail[-100_000:]]).encode() + b"\n"
        while line:
            line = line[os.write(writing, line) :]
    os._exit(0)


def _outcome(work: Callable[[], Any]) -> Ended:
    nowhere = open(os.devnull, "w")  # noqa: SIM115  - for the rest of the process
    sys.stdout = sys.stderr = nowhere
    warnings.simplefilter("ignore")
    try:
        return Ended("ok", str(work()))
    except EngineError as error:
        return Ended("refused" if error.code != "bug" else "bug", error.code)
    except BaseException as error:
        return Ended("refused", "memory-full") if is_out_of_memory(error) else Ended("bug", traceback.format_exc())


def disturbed(work: Callable[[], Any], below: Path, number: int, disturb: Callable[[], None]) -> Callable[[], Any]:
    """Return work in which something happens before the N-th call that touches a folder.

    The calls are those of Python; what libraries write themselves (safetensors) counts as one.
    """
    left = [number]

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            disturb()

    return lambda: _watched(work, below, count)


def _watched(work: Callable[[], Any], below: Path, tell: Callable[[], None]) -> Any:
    """Work, and tell of each call that touches a folder before it is made; for the rest of the process."""

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if _touches(args, below):
                tell()
            return real(*args, **kwargs)

        return call

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    builtins.open = io.open = counted(io.open)  # type: ignore[assignment]
    saving.save_file = initial.save_file = counted(saving.save_file)
    return work()


def count_calls(work: Callable[[], Any], below: Path) -> int:
    """Return how many calls a piece of work makes that touch a folder."""
    seen = [0]

    def count() -> None:
        seen[0] += 1

    def run() -> int:
        _watched(work, below, count)
        return seen[0]

    ended = in_child(run)
    assert ended.how == "ok", ended
    return int(ended.detail)


def _touches(args: tuple[Any, ...], below: Path) -> bool:
    """Say whether a call is about something below a folder; of a number (fsync) that is not known, so it is."""
    for value in args[:2]:
        if isinstance(value, int):
            return True
        with contextlib.suppress(TypeError):
            if os.fspath(value).startswith(str(below)):
                return True
    return False


def die() -> None:
    """End the process as a kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)


def failing(number: int) -> Callable[[], None]:
    """Return a function that fails as the system does."""

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail
