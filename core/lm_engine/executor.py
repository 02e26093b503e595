"""The executor contract: many pieces of work, carried out side by side, here or elsewhere.

An executor's factory is called as `factory(options, jobs=…)`, where `jobs` is how many tasks may run at once (None: as the
executor sees fit). Importing this module imports no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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

    Promises:

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
