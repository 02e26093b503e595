"""The contract of executors, as checks with small tasks, each in a process of its own.

from pentad.testing import ExecutorConformance

class TestCluster(ExecutorConformance):
    name = "cluster"

These take seconds: processes start.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from pentad.contracts.executor import Task, TaskExecutor, TaskResult
from pentad.testing.conformance import Conformance, require

_WORK = "pentad.testing.beside.executor:work"
_PATIENCE = 60.0
"""Seconds after which a task that waits for another gives up."""


class ExecutorConformance(Conformance):
    """Checks of an executor.

    Attributes:
        jobs: tasks that may run at once.
    """

    kind = "executor"
    jobs: ClassVar[int] = 2

    def executor(self, jobs: int | None = None) -> TaskExecutor:
        """Make the executor under test."""
        made = self.make(jobs=self.jobs if jobs is None else jobs)
        require(isinstance(made, TaskExecutor), f"the factory must return a TaskExecutor, found a {type(made).__name__}")
        return made  # type: ignore[no-any-return]

    def ended(self, tasks: Sequence[Task], jobs: int | None = None) -> dict[str, TaskResult]:
        """Carry tasks out, and return how each ended by its name."""
        found = list(self.executor(jobs).run_tasks(tasks))
        names = [ended.task.name for ended in found]
        expected = [task.name for task in tasks]
        require(sorted(names) == sorted(expected), f"the tasks {expected} were given, {names} were returned; each once")
        return {ended.task.name: ended for ended in found}

    def check_says_what_it_has(self) -> None:
        """`concurrency` is at least 1, `shares_devices` true or false, `threads` and `cores` None or at least 1."""
        executor = self.executor()
        require(isinstance(executor.concurrency, int) and executor.concurrency >= 1, f"concurrency is {executor.concurrency!r}")
        require(isinstance(executor.shares_devices, bool), f"shares_devices is {executor.shares_devices!r}; say True or False")
        for name, number in (("threads", executor.threads), ("cores", executor.cores)):
            require(number is None or (isinstance(number, int) and number >= 1), f"{name} is {number!r}; None or at least 1")

    def check_every_task_is_carried_out(self) -> None:
        """Each task is returned once, without a failure, and its folder is complete by then."""
        with _folder() as folder:
            tasks = [_task(folder, f"task-{number}", "write") for number in range(3)]
            for ended in self.executor().run_tasks(tasks):
                require(not ended.failure, f"{ended.task.name} failed: {ended.failure}")
                there = (ended.task.folder / "done.json").is_file()
                require(there, f"{ended.task.name} was returned before its folder was complete on this machine")
            self.ended([_task(folder, f"again-{number}", "write") for number in range(3)])

    def check_no_task_is_no_error(self) -> None:
        """Without a task nothing is returned."""
        require(not self.ended([]), "something is returned where no task was given")

    def check_failures_are_told(self) -> None:
        """What a task raises is its failure, in one line, and the others go on."""
        with _folder() as folder:
            ended = self.ended([_task(folder, "bad", "raise"), _task(folder, "good", "write")])
        failure = ended["bad"].failure
        said = failure.message if failure else ""
        require("out of cheese" in said, f"a task raised 'out of cheese', its failure says {said!r}; tell what it raised")
        require("\n" not in said, "a failure must be one line")
        require(not ended["good"].failure, f"a task failed beside one that raised: {ended['good'].failure}")

    def check_a_killed_process_costs_no_other(self) -> None:
        """A task whose process kills itself fails, and the others go on."""
        with _folder() as folder:
            ended = self.ended([_task(folder, "killed", "kill"), _task(folder, "good", "write")])
        require(bool(ended["killed"].failure), "a task whose process was killed counts as done")
        require(not ended["good"].failure, f"a task failed beside one that was killed: {ended['good'].failure}")

    def check_tasks_have_processes_of_their_own(self) -> None:
        """Each task runs in another process than this one and than the other tasks."""
        with _folder() as folder:
            tasks = [_task(folder, f"task-{number}", "write") for number in range(3)]
            self.ended(tasks)
            pids = [_said(task)["pid"] for task in tasks]
        require(os.getpid() not in pids, "a task ran in the process that asked for it")
        require(len(set(pids)) == len(pids), "two tasks ran in one process; start one for each")

    def check_tasks_start_in_order(self) -> None:
        """With one job, a task finds the results of all before it."""
        with _folder() as folder:
            tasks = [_task(folder, f"task-{number}", "write") for number in range(3)]
            self.ended(tasks, jobs=1)
            for number, task in enumerate(tasks):
                found = _said(task)["before"]
                expected = [other.name for other in tasks[:number]]
                require(found == expected, f"with one job, {task.name} found the results of {found}; expected {expected}")

    def check_tasks_are_stopped_when_nobody_waits(self) -> None:
        """When the iteration is left early, the task under way gets a SIGTERM, and is waited for while it saves."""
        with _folder() as folder:
            slow = _task(folder, "slow", "wait for the signal")
            quick = _task(folder, "quick", "wait for a file", file=str(slow.folder / "begun"))
            iterator = iter(self.executor().run_tasks([slow, quick]))
            first = next(iterator)
            require(first.task.name == "quick", f"{first.task.name} came first; two tasks must run at once with jobs=2")
            require(not first.failure, f"quick failed: {first.failure}; two tasks must run at once with jobs=2")
            close = getattr(iterator, "close", None)
            require(close is not None, "run_tasks must be a generator, which can be closed")
            close()  # type: ignore[misc]
            require(
                (slow.folder / "saved").is_file(),
                "when the iteration is left, a task under way must get SIGTERM and be waited for; it could not save",
            )


def work(argument: Mapping[str, Any], folder: Path) -> None:
    """Do what a check's task is for, in the task's own process."""
    what = argument["what"]
    if what == "raise":
        raise ValueError("out of cheese")
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "wait for the signal":
        _save_on_signal(folder)
    if what == "wait for a file":
        _wait_for(Path(argument["file"]))
    before = sorted(path.parent.name for path in folder.parent.glob("*/done.json") if path.parent != folder)
    said = json.dumps({"pid": os.getpid(), "before": before})
    (folder / "done.json").write_text(said, encoding="utf-8")


def _save_on_signal(folder: Path) -> None:
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    (folder / "begun").touch()
    end = time.monotonic() + _PATIENCE
    while not asked and time.monotonic() < end:
        time.sleep(0.02)
    if asked:
        (folder / "saved").touch()
        raise SystemExit(130)


def _wait_for(path: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{path.name} of another task did not come")
        time.sleep(0.02)


def _task(folder: Path, name: str, what: str, **more: str) -> Task:
    return Task(name=name, work=_WORK, argument={"what": what, **more}, folder=folder / name)


def _said(task: Task) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((task.folder / "done.json").read_text(encoding="utf-8"))
    return said


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder).resolve()
