"""Each wrong executor is caught by the check meant for it. Real processes start, so only the telling checks are run."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest

from pentad import Executor, TaskExecutor, TaskResult, describe_exit, describe_failure
from pentad.testing import ExecutorConformance

_PROCESS = "import json, pathlib, sys, pentad; work, argument, folder = sys.argv[1:]; "
_PROCESS += "sys.exit(pentad.run_task_process(work, json.loads(argument), pathlib.Path(folder)))"


def start(task):
    import json

    return subprocess.Popen([sys.executable, "-c", _PROCESS, task.work, json.dumps(dict(task.argument)), str(task.folder)])


@dataclass
class Right(TaskExecutor):
    """A process for each task, `jobs` at a time; every other executor breaks one promise."""

    jobs: int

    @property
    def concurrency(self):
        return self.jobs

    @property
    def shares_devices(self):
        return True

    @property
    def threads(self):
        return 1

    def run_tasks(self, tasks):
        import time

        waiting, running = list(self.ordered(tasks)), {}
        try:
            while waiting or running:
                while waiting and len(running) < self.jobs:
                    task = waiting.pop(0)
                    running[task.name] = (task, start(task))
                for name, (task, process) in list(running.items()):
                    if process.poll() is not None:
                        del running[name]
                        yield self.ended(task, process.returncode)
                time.sleep(0.01)
        finally:
            self.stop([process for _, process in running.values()])

    def ordered(self, tasks):
        return tasks

    def ended(self, task, code):
        return TaskResult(task=task, failure=describe_exit(code, task.folder))

    def stop(self, processes):
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


class Backwards(Right):
    def ordered(self, tasks):
        return reversed(tasks)


class TellsNoFailure(Right):
    def ended(self, task, code):
        return TaskResult(task=task)


class KillsWhatIsUnderWay(Right):
    def stop(self, processes):
        for process in processes:
            process.kill()
            process.wait()


class InThisProcess(Right):
    def run_tasks(self, tasks):
        from pentad.contracts.executor import call_work

        for task in tasks:
            failure = None
            try:
                call_work(task.work, task.argument, task.folder)
            except Exception as error:
                failure = describe_failure(error, task.folder)
            yield TaskResult(task=task, failure=failure)


class HasNoJobs(Right):
    @property
    def concurrency(self):
        return 0


class ForgetsTheLast(Right):
    def ordered(self, tasks):
        return tasks[:-1]


class NeedsATask(Right):
    def ordered(self, tasks):
        return [tasks[0], *tasks[1:]]


def kit_of(executor):
    record = Executor(name="wrong", summary="", factory=lambda options, jobs: executor(jobs))
    return type("Kit", (ExecutorConformance,), {"implementation": record})()


@pytest.mark.parametrize(
    ("executor", "check"),
    [
        (HasNoJobs, "says_what_it_has"),
        (ForgetsTheLast, "every_task_is_carried_out"),
        (NeedsATask, "no_task_is_no_error"),
        (TellsNoFailure, "failures_are_told"),
        (TellsNoFailure, "a_killed_process_costs_no_other"),
        (InThisProcess, "tasks_have_processes_of_their_own"),
        (Backwards, "tasks_start_in_order"),
        (KillsWhatIsUnderWay, "tasks_are_stopped_when_nobody_waits"),
    ],
)
def test_a_wrong_executor_is_caught_by_the_check_meant_for_it(executor, check):
    assert kit_of(executor).run(check).outcome == "failed"


@pytest.mark.parametrize(
    ("executor", "failed"),
    [
        (Right, []),
        (KillsWhatIsUnderWay, ["tasks_are_stopped_when_nobody_waits"]),
    ],
)
def test_no_other_check_fails(executor, failed):
    kit = kit_of(executor)
    found = {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}
    assert list(found) == failed, found
