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

from pentad import NoOptions, Task, TaskExecutor, TaskResult, describe_exit
from pentad.tools import available_cores, physical_cores, prepare_process
from pentad_local.process import run_task

_PRELOADED = ("pentad.pipeline",)
"""Imported once, for all tasks, and torch with it, which takes longer than many a small run."""


class Local(TaskExecutor):
    """Runs tasks on this machine.

    Args:
        options: none.
        jobs: tasks at once; None for one.
    """

    def __init__(self, options: NoOptions, *, jobs: int | None = None) -> None:
        del options
        self._jobs = jobs or 1
        self._gpus = _count_gpus() if self._jobs > 1 else 0

    @property
    def concurrency(self) -> int:
        """The jobs."""
        return self._jobs

    @property
    def shares_devices(self) -> bool:
        """True beyond one task a GPU, or one task in all on the CPU."""
        return self._jobs > max(1, self._gpus)

    @property
    def cores(self) -> int:
        """The cores of this machine that the process may use."""
        return physical_cores()

    @property
    def threads(self) -> int | None:
        """An equal share of the cores."""
        return max(1, available_cores() // self._jobs) if self._jobs > 1 else None

    def run_tasks(self, tasks: Sequence[Task]) -> Iterator[TaskResult]:
        """Run tasks in order, `jobs` at once."""
        prepare_process()
        context = _process_context(tasks)
        waiting, running = list(tasks), dict[BaseProcess, tuple[Task, int]]()
        try:
            while waiting or running:
                while waiting and len(running) < self._jobs:
                    slot = min(set(range(self._jobs)) - {used for _, used in running.values()})
                    task = waiting.pop(0)
                    running[self._start(context, task, slot)] = (task, slot)
                multiprocessing.connection.wait([process.sentinel for process in running])
                for process in [process for process in running if not process.is_alive()]:
                    task, _ = running.pop(process)
                    process.join()
                    yield TaskResult(task=task, failure=describe_exit(process.exitcode or 0, task.folder))
        finally:
            _stop(list(running))

    def _start(self, context: Any, task: Task, slot: int) -> BaseProcess:
        environment = {"CUDA_VISIBLE_DEVICES": _gpu_name(slot % self._gpus)} if self._gpus > 1 else {}
        arguments = (task.work, dict(task.argument), task.folder, environment)
        process: BaseProcess = context.Process(target=run_task, args=arguments, name=task.name)
        process.start()
        return process


def _process_context(tasks: Sequence[Task]) -> Any:
    """Return how processes are started: where forking is safe, from one that has imported torch and the tasks' modules."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    modules = dict.fromkeys(task.work.partition(":")[0] for task in tasks)
    context.set_forkserver_preload([*_PRELOADED, *modules])
    with _without_sigint():  # the terminal's Ctrl-C would reach the server too, in the middle of its imports
        multiprocessing.forkserver.ensure_running()
    return context


@contextlib.contextmanager
def _without_sigint() -> Iterator[None]:
    """Let processes that are started in this block ignore Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _count_gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _gpu_name(number: int) -> str:
    """Return the system's name of a GPU, counted among those that CUDA_VISIBLE_DEVICES allows."""
    allowed = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return allowed[number] if number < len(allowed) else str(number)


def _stop(processes: Sequence[BaseProcess]) -> None:
    """Ask the processes to stop, and wait until they have saved; a second Ctrl-C kills them."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    for process in processes:
        try:
            process.join()
        except KeyboardInterrupt:
            for other in processes:
                other.kill()  # else Python would wait for them at exit
            raise
