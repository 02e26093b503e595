"""The executor contract: many pieces of work, carried out side by side, here or elsewhere.

An executor's factory is called as `factory(options, jobs=…)`, where `jobs` is how many tasks may run at once (None: as the
executor sees fit). Importing this module imports no torch.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pentad.system.errors import EngineError, Interrupted, one_line
from pentad.system.files import read_json, write_atomically

FAILURE, LOG = "failure.json", "log.txt"
"""Files of a task's folder: why it failed, and what its process printed."""

DONE, FAILED, STOPPED = 0, 1, 130
"""How a task's process ends: its exit codes."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A piece of work: a function, what it is called with, and the folder that it fills.

    Args:
        name: for people.
        work: `module:function` of an installed distribution, called as `work(argument, folder)`. What it raises is the task's
            failure. Called again with the same folder it goes on from what lies there, so that a task may be started anew
            when the process or the machine that worked on it is lost.
        argument: plain names and values, as JSON has them.
        folder: where the results go: an absolute path. Where that is another machine's disk, the executor brings its
            content here.
    """

    name: str
    work: str
    argument: Mapping[str, Any]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A task that is over.

    Args:
        task: which.
        failure: why it failed, in one line; empty when it is done.
        hint: what to do about it, where that is known.
    """

    task: Task
    failure: str = ""
    hint: str = ""


class TaskExecutor(ABC):
    """Carries tasks out.

    Promises, each checked by the conformance kit but for the third:

    - Each task has a process of its own: whatever becomes of it, running out of memory included, the others go on.
    - Tasks start in the order given. When `Ended` is returned for one, its folder is complete on this machine.
    - A task whose process is lost through no fault of its own (its machine is gone) is started again.
    - When the iteration is left early (Ctrl-C, an error), the tasks under way are asked to stop (SIGTERM), so that they can
      save, and are waited for.
    """

    @property
    @abstractmethod
    def concurrency(self) -> int:
        """How many tasks run at once at the most."""

    @property
    @abstractmethod
    def shares_devices(self) -> bool:
        """Whether tasks that run at once compute on the same processor, so that their clocks measure each other."""

    @property
    @abstractmethod
    def threads(self) -> int | None:
        """The CPU threads that a task may use; None leaves it to the task."""

    @abstractmethod
    def carry_out(self, tasks: Sequence[Task]) -> Iterator[Ended]:
        """Carry tasks out, and return each when it is over, whatever came of it."""


def call_work(work: str, argument: Mapping[str, Any], folder: Path) -> None:
    """Call a task's function in this process.

    Raises:
        Exception: whatever it raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    module, _, name = work.partition(":")
    getattr(importlib.import_module(module), name)(argument, folder)


def cause_of(error: BaseException, folder: Path) -> tuple[str, str]:
    """Return a task's failure in one line, and a hint."""
    if isinstance(error, EngineError):
        return error.message, error.hint
    return one_line(error), f"{folder / LOG} has the traceback."


def be_task_process(work: str, argument: Mapping[str, Any], folder: Path) -> int:
    """Carry a task out in a process that an executor started for it.

    What is printed goes to log.txt in the task's folder; the cause of a failure stands in failure.json, for `outcome_of`.

    Returns:
        What the process shall end with: 0 when it is done, 1 when it failed, 130 after Ctrl-C or SIGTERM.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FAILURE).unlink(missing_ok=True)
    with (folder / LOG).open("a", encoding="utf-8", buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        sys.stdout = sys.stderr = log
        try:
            call_work(work, argument, folder)
        except (Interrupted, KeyboardInterrupt):
            return STOPPED
        except BaseException as error:
            traceback.print_exc()
            failure, hint = cause_of(error, folder)
            with contextlib.suppress(OSError):  # a full disk is the failure, and no reason for another
                write_atomically(folder / FAILURE, json.dumps({"failure": failure, "hint": hint}) + "\n")
            return FAILED
        finally:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    return DONE


def outcome_of(code: int, folder: Path) -> tuple[str, str]:
    """Say how a task's process went.

    Args:
        code: what it ended with, negative for the signal that killed it.
        folder: the task's.

    Returns:
        The failure in one line, empty for none, and what to do about it.
    """
    if code == DONE:
        return "", ""
    if code == STOPPED:
        return "it was stopped", "Called again, it goes on from what is saved."
    if code < 0:
        name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
        return f"its process was killed by {name}", "The system may have run out of memory: lower --batch-size."
    with contextlib.suppress(EngineError, OSError):
        said = read_json(folder / FAILURE)
        return str(said.get("failure", "")), str(said.get("hint", ""))
    return f"its process ended with {code}", f"{folder / LOG} has what it printed."
