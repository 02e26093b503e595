"""Tasks on this machine: a process each, whatever becomes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pentad import NoOptions, Task, TaskExecutor, TaskFailure
from pentad.testing import ExecutorConformance
from pentad.tools import physical_cores
from pentad_local.executor import Local

HERE = Path(__file__).parent


def codes(results):
    """Return the code of each result's failure, empty where the task is done."""
    return [result.failure.code if result.failure else "" for result in results]


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(HERE))

    def make(work, name, **argument):
        return Task(name=name, work=f"local_work:{work}", argument=argument, folder=tmp_path / name)

    return make


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)


def test_each_task_has_a_process_and_failures_cost_only_themselves(task):
    executor = Local(NoOptions())
    assert isinstance(executor, TaskExecutor)
    assert (executor.concurrency, executor.shares_devices, executor.threads) == (1, False, None)
    tasks = [task("note", "a", say=1), task("fail", "b"), task("crash", "c"), task("die", "d"), task("note", "e", say="ü")]
    results = list(executor.run_tasks(tasks))
    assert [result.task for result in results] == tasks
    assert codes(results) == ["", "too-little", "task-crashed", "task-killed", ""]
    assert results[1].failure == TaskFailure("It expected more, found less.", "Give it more.", "too-little")
    assert str(tasks[2].folder / "log.txt") in results[2].failure.hint
    assert "ZeroDivisionError" in (tasks[2].folder / "log.txt").read_text()
    said = [json.loads((task.folder / "done").read_text()) for task in (tasks[0], tasks[4])]
    assert [each["said"] for each in said] == [1, "ü"]
    assert len({os.getpid(), *(each["pid"] for each in said)}) == 3
    assert "something for the log" in (tasks[0].folder / "log.txt").read_text()


def test_a_failure_is_forgotten_when_the_task_is_done_again(task):
    failed, done = task("fail", "a"), task("note", "a", say=1)
    assert codes(Local(NoOptions()).run_tasks([failed])) == ["too-little"]
    assert codes(Local(NoOptions()).run_tasks([done])) == [""]


def test_jobs_run_at_once_and_share_the_cores(task):
    executor = Local(NoOptions(), jobs=2)
    assert executor.shares_devices
    assert (executor.threads or 0) >= 1 and executor.cores == physical_cores()
    assert codes(executor.run_tasks([task("together", "a", other="b"), task("together", "b", other="a")])) == ["", ""]


def test_who_leaves_early_waits_until_the_tasks_have_saved(task, tmp_path):
    first, second = task("note", "a", say=1), task("until_stopped", "b")
    iteration = Local(NoOptions(), jobs=2).run_tasks([first, second])
    next(iteration)
    wait_for(second.folder / "here")
    iteration.close()
    assert (second.folder / "saved").exists()


def test_tasks_stop_and_save_when_their_parent_is_killed(task, tmp_path):
    program = (
        "from pathlib import Path\n"
        "from pentad import NoOptions, Task\n"
        "from pentad_local.executor import Local\n"
        "if __name__ == '__main__':\n"
        f"    one = Task(name='a', work='local_work:until_stopped', argument={{}}, folder=Path({str(tmp_path / 'a')!r}))\n"
        "    list(Local(NoOptions()).run_tasks([one]))\n"
    )
    (tmp_path / "program.py").write_text(program)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "program.py")])
    wait_for(tmp_path / "a" / "here")
    assert not (tmp_path / "a" / "saved").exists()
    parent.kill()
    parent.wait()
    wait_for(tmp_path / "a" / "saved")  # fails when it never comes
    assert not (tmp_path / "a" / "failure.json").exists()


@pytest.mark.parametrize(
    ("gpus", "jobs", "allowed", "expected"),
    [(2, 2, "", ["0", "1"]), (1, 2, "", ["all", "all"]), (2, 2, "3, GPU-8932", ["3", "GPU-8932"])],
)
def test_runs_at_once_get_a_gpu_each(monkeypatch, task, gpus, jobs, allowed, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if allowed:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    executor = Local(NoOptions(), jobs=jobs)
    assert executor.shares_devices == (jobs > gpus)
    tasks = [task("visible_gpus", name) for name in "ab"]
    assert codes(executor.run_tasks(tasks)) == ["", ""]
    assert sorted((task.folder / "gpus").read_text() for task in tasks) == expected


class TestLocal(ExecutorConformance):
    name = "local"
