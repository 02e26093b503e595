"""The executor `local`: this machine, a process for each task, one GPU each where there are several."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

from pentad import Ended, NoOptions, Task, TaskExecutor, outcome_of
from pentad.tools import available_cores, prepare_process
from pentad_compare.worker import process


class Local(TaskExecutor):
    """Carries tasks out on this machine.

    Args:
        options: none.
        jobs: tasks at once; None for one.
    """

    def __init__(self, options: NoOptions, *, jobs: int | None = None) -> None:
        del options
        self._jobs = jobs or 1
        self._gpus = _gpus() if self._jobs > 1 else 0

    @property
    def concurrency(self) -> int:
        """The jobs."""
        return self._jobs

    @property
    def shares_devices(self) -> bool:
        """True beyond one task a GPU, or one task in all on the CPU."""
        return self._jobs > max(1, self._gpus)

    @property
    def threads(self) -> int | None:
        """An equal share of the cores."""
        return max(1, available_cores() // self._jobs) if self._jobs > 1 else None

    def carry_out(self, tasks: Sequence[Task]) -> Iterator[Ended]:
        """Carry tasks out in order, `jobs` at once."""
        prepare_process()
        context = _context()
        waiting, running = list(tasks), dict[BaseProcess, tuple[Task, int]]()
        try:
            while waiting or running:
                while waiting and len(running) < self._jobs:
                    slot = min(set(range(self._jobs)) - {used for _, used in running.values()})
                    task = waiting.pop(0)
                    running[self._start(context, task, slot)] = (task, slot)
                multiprocessing.connection.wait([each.sentinel for each in running])
                for each in [each for each in running if not each.is_alive()]:
                    task, _ = running.pop(each)
                    yield _ended(task, each)
        finally:
            _stop(list(running))

    def _start(self, context: Any, task: Task, slot: int) -> BaseProcess:
        environment = {"CUDA_VISIBLE_DEVICES": _gpu(slot % self._gpus)} if self._gpus > 1 else {}
        started: BaseProcess = context.Process(
            target=process, args=(task.work, dict(task.argument), task.folder, environment), name=task.name
        )
        started.start()
        return started


def _context() -> Any:
    """Return how processes are started: forked from one that has torch imported, where forking is safe."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # torch imports dynamo with the first optimizer that is made, which takes longer than many a small run.
    context.set_forkserver_preload(["pentad.pipeline", "pentad_compare.work", "torch._dynamo"])
    with _without_sigint():  # it would get the terminal's Ctrl-C too, in the middle of its imports
        multiprocessing.forkserver.ensure_running()
    return context


@contextlib.contextmanager
def _without_sigint() -> Iterator[None]:
    """Let what is started now ignore Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _gpu(number: int) -> str:
    """Return the system's name of a GPU among those that the user allows."""
    allowed = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return allowed[number] if number < len(allowed) else str(number)


def _ended(task: Task, ended: BaseProcess) -> Ended:
    ended.join()
    failure, hint = outcome_of(ended.exitcode or 0, task.folder)
    return Ended(task=task, failure=failure, hint=hint)


def _stop(processes: Sequence[BaseProcess]) -> None:
    """Ask the processes to stop, and wait until they have saved; a second Ctrl-C is obeyed at once."""
    for each in processes:
        with contextlib.suppress(ProcessLookupError):
            each.terminate()
    for each in processes:
        try:
            each.join()
        except KeyboardInterrupt:
            for other in processes:
                other.kill()  # else the end of this process would wait for them
            raise
