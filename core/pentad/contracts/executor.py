"""The executor contract: many tasks, run side by side, here or on other machines.

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
from typing import Any, NamedTuple

from pentad.system.errors import EngineError, Interrupted, one_line
from pentad.system.files import read_json, write_atomically

FAILURE_FILE = "failure.json"
"""The file of a task's folder that says why it failed."""

LOG_FILE = "log.txt"
"""The file of a task's folder that holds what its process printed."""

EXIT_DONE, EXIT_FAILED = 0, 1
"""Exit codes of a task's process."""

EXIT_STOPPED = 130
"""The exit code of a task's process that was stopped by Ctrl-C or SIGTERM."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A function to call, its argument, and the folder that it writes to.

    Args:
        name: for people.
        work: `module:function` of an installed distribution, called as `work(argument, folder)`. What it raises is the task's
            failure. Called again with the same folder it resumes from what it finds there, so that an executor may restart
            a task whose process or machine is lost.
        argument: JSON values by name.
        folder: where the results go, an absolute path. An executor that runs the task on another machine copies its content
            here.
    """

    name: str
    work: str
    argument: Mapping[str, Any]
    folder: Path


class TaskFailure(NamedTuple):
    """Why a task failed.

    Args:
        message: in one line.
        hint: what to do about it, where that is known.
        code: of the `EngineError` that it raised; `task-crashed` for another exception or exit code, `task-killed` by a signal,
            `task-stopped` on request, `task-lost` with its machine.
    """

    message: str
    hint: str = ""
    code: str = "task-crashed"


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """How a task ended; `failure` is None when it is done."""

    task: Task
    failure: TaskFailure | None = None


class TaskExecutor(ABC):
    """Runs tasks.

    Promises, each checked by the conformance kit but for the third:

    - Each task has a process of its own: when one fails, even by running out of memory, the others go on.
    - Tasks start in the order given. When a `TaskResult` is returned, the task's folder is complete on this machine.
    - A task whose process is lost through no fault of its own (its machine is gone) is started again.
    - When the iteration is left early (Ctrl-C, an error), the running tasks are asked to stop (SIGTERM), so that they can
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
    def cores(self) -> int | None:
        """The CPU cores that the tasks share, where all of them run on one machine that is known; else None.

        Tasks that compute on CPUs alone, and whose threads together are fewer than these, have a core for each thread.
        """
        return None

    @property
    @abstractmethod
    def threads(self) -> int | None:
        """The CPU threads that a task may use; None leaves it to the task."""

    @abstractmethod
    def run_tasks(self, tasks: Sequence[Task]) -> Iterator[TaskResult]:
        """Run tasks, and yield the result of each when it ends, failed or not."""


def call_work(work: str, argument: Mapping[str, Any], folder: Path) -> None:
    """Call a task's function in this process.

    Raises:
        Exception: whatever it raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    module, _, name = work.partition(":")
    getattr(importlib.import_module(module), name)(argument, folder)


def describe_failure(error: BaseException, folder: Path) -> TaskFailure:
    """Return why a task failed whose function raised `error`."""
    if isinstance(error, EngineError):
        return TaskFailure(error.message, error.hint, error.code)
    return TaskFailure(one_line(error), f"{folder / LOG_FILE} has the traceback.")


def run_task_process(work: str, argument: Mapping[str, Any], folder: Path) -> int:
    """Run a task in a process that an executor started for it.

    What is printed goes to log.txt in the task's folder, the cause of a failure to failure.json, which `describe_exit` reads.

    Returns:
        The exit code for the process: 0 when the task is done, 1 when it failed, 130 after Ctrl-C or SIGTERM.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FAILURE_FILE).unlink(missing_ok=True)
    with (folder / LOG_FILE).open("a", encoding="utf-8", buffering=1) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        sys.stdout = sys.stderr = log
        try:
            call_work(work, argument, folder)
        except (Interrupted, KeyboardInterrupt):
            return EXIT_STOPPED
        except BaseException as error:
            traceback.print_exc()
            with contextlib.suppress(OSError):  # a full disk is the failure, and no reason for another
                failure = describe_failure(error, folder)
                write_atomically(folder / FAILURE_FILE, json.dumps(failure._asdict()) + "\n")
            return EXIT_FAILED
        finally:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    return EXIT_DONE


def describe_exit(code: int, folder: Path) -> TaskFailure | None:
    """Return why a task's process failed, None when it did not.

    Args:
        code: its exit code, negative for the signal that killed it.
        folder: the task's.
    """
    if code == EXIT_DONE:
        return None
    if code == EXIT_STOPPED:
        return TaskFailure("it was stopped", "Call the command again to resume it.", "task-stopped")
    if code < 0:
        name = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
        hint = "The system may have run out of memory: lower --batch-size."
        return TaskFailure(f"its process was killed by {name}", hint, "task-killed")
    with contextlib.suppress(EngineError, OSError, KeyError):
        said = read_json(folder / FAILURE_FILE)
        return TaskFailure(str(said["message"]), str(said["hint"]), str(said["code"]))
    return TaskFailure(f"its process ended with exit code {code}", f"{folder / LOG_FILE} has what it printed.")
