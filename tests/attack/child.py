"""Work in a process of its own, in which the system can fail or the process can die at the N-th call."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import select
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pentad import EngineError
from pentad.runs import saving

SECONDS = 60
"""After which a process counts as hung."""

CALLS = ("open", "mkdir", "rename", "replace", "fsync", "unlink", "rmdir", "scandir", "listdir", "chmod")


_OPEN = os.open
"""The call itself, however it is disturbed later."""


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
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        ended = _outcome(work)
        os.write(writing, f"{ended.how}\n{ended.detail}".encode()[:60_000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        ready = select.select([pipe], [], [], SECONDS)[0]
        text = pipe.read().decode(errors="replace") if ready else ""
    if not ready:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not ready:
        return Ended("hung")
    if status < 0:
        return Ended("killed", signal.Signals(-status).name) if status == -signal.SIGKILL else Ended("bug", f"signal {-status}")
    how, _, detail = text.partition("\n")
    return Ended(how or "bug", detail)


def _outcome(work: Callable[[], Any]) -> Ended:
    nowhere = open(os.devnull, "w")  # noqa: SIM115  - for the rest of the process
    sys.stdout = sys.stderr = nowhere
    warnings.simplefilter("ignore")
    try:
        return Ended("ok", str(work()))
    except EngineError as error:
        return Ended("refused" if error.code != "bug" else "bug", error.code)
    except BaseException:
        return Ended("bug", traceback.format_exc())


def disturbed(work: Callable[[], Any], below: Path, number: int, disturb: Callable[[], None]) -> Callable[[], Any]:
    """Return work in which something happens before the N-th call that touches a folder.

    The calls are those of Python; what libraries write themselves (safetensors) counts as one.
    """

    def run() -> Any:
        left = [number]

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                if _touches(args, below):
                    left[0] -= 1
                    if left[0] == 0:
                        disturb()
                return real(*args, **kwargs)

            return call

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        builtins.open = io.open = counted(io.open)  # type: ignore[assignment]
        saving.save_file = counted(saving.save_file)
        return work()

    return run


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


def failing(number: int, mark: Path) -> Callable[[], None]:
    """Return a function that fails as the system does, and leaves a mark that it was called."""

    def fail() -> None:
        os.close(_OPEN(mark, os.O_CREAT | os.O_WRONLY))
        raise OSError(number, os.strerror(number))

    return fail
