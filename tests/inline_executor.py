"""A plugin for tests: the executor `inline`, which does each task in this very process."""

from __future__ import annotations

import importlib

from pentad import EngineError, Executor, TaskExecutor, TaskResult, describe_failure, hookimpl


class Inline(TaskExecutor):
    concurrency, shares_devices, threads = 1, False, None

    def __init__(self, options, *, jobs=None):
        self.jobs = jobs

    def run_tasks(self, tasks):
        for task in tasks:
            module, _, name = task.work.partition(":")
            try:
                getattr(importlib.import_module(module), name)(task.argument, task.folder)
                yield TaskResult(task=task)
            except EngineError as error:
                yield TaskResult(task=task, failure=describe_failure(error, task.folder))


@hookimpl
def engine_executors():
    return [Executor(name="inline", summary="In this process.", factory=Inline)]
