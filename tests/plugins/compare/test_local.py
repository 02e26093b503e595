"""Tasks on this machine: a process each, whatever becomes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pentad import Ended, EngineError, NoOptions, Task, TaskExecutor
from pentad.system.errors import Interrupted
from pentad.testing import ExecutorConformance
from pentad_compare.local import Local

HERE = Path(__file__).parent


def note(argument, folder):
    (folder / "done").write_text(json.dumps({"pid": os.getpid(), "said": argument["say"], "threads": os.environ.get("X", "")}))
    print("something for the log")


def fail(argument, folder):
    raise EngineError("It expected more, found less.", "Give it more.", code="too-little")


def crash(argument, folder):
    raise ZeroDivisionError("by zero")


def die(argument, folder):
    os.kill(os.getpid(), signal.SIGKILL)


def together(argument, folder):
    """Wait until the other one is there too."""
    (folder / "here").touch()
    deadline = time.monotonic() + 60
    while not (folder.parent / argument["other"] / "here").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def until_stopped(argument, folder):
    def save(number, frame):
        raise Interrupted("Stopped.", "")

    signal.signal(signal.SIGTERM, save)
    (folder / "here").touch()
    try:
        time.sleep(120)
    finally:
        (folder / "saved").touch()


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(HERE))

    def make(work, name, **argument):
        return Task(name=name, work=f"test_local:{work}", argument=argument, folder=tmp_path / name)

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
    ended = list(executor.carry_out(tasks))
    assert [each.task for each in ended] == tasks
    assert [each.failure for each in ended] == [
        "",
        "It expected more, found less.",
        "ZeroDivisionError: by zero",
        "its process was killed by SIGKILL",
        "",
    ]
    assert ended[1] == Ended(task=tasks[1], failure="It expected more, found less.", hint="Give it more.")
    assert "log.txt has the traceback" in ended[2].hint
    assert "memory" in ended[3].hint
    assert "ZeroDivisionError" in (tasks[2].folder / "log.txt").read_text()
    said = [json.loads((each.folder / "done").read_text()) for each in (tasks[0], tasks[4])]
    assert [each["said"] for each in said] == [1, "ü"]
    assert len({os.getpid(), *(each["pid"] for each in said)}) == 3
    assert "something for the log" in (tasks[0].folder / "log.txt").read_text()


def test_a_failure_is_forgotten_when_the_task_is_done_again(task):
    failed, done = task("fail", "a"), task("note", "a", say=1)
    assert [each.failure != "" for each in Local(NoOptions()).carry_out([failed])] == [True]
    assert [each.failure for each in Local(NoOptions()).carry_out([done])] == [""]


def test_jobs_run_at_once_and_share_the_cores(task):
    executor = Local(NoOptions(), jobs=2)
    assert executor.shares_devices
    assert (executor.threads or 0) >= 1
    ended = list(executor.carry_out([task("together", "a", other="b"), task("together", "b", other="a")]))
    assert [each.failure for each in ended] == ["", ""]


def test_who_leaves_early_waits_until_the_tasks_have_saved(task, tmp_path):
    first, second = task("note", "a", say=1), task("until_stopped", "b")
    iteration = Local(NoOptions(), jobs=2).carry_out([first, second])
    next(iteration)
    wait_for(second.folder / "here")
    iteration.close()
    assert (second.folder / "saved").exists()


def test_tasks_stop_and_save_when_their_parent_is_killed(task, tmp_path):
    program = (
        "from pathlib import Path\n"
        "from pentad import NoOptions, Task\n"
        "from pentad_compare.local import Local\n"
        "if __name__ == '__main__':\n"
        f"    one = Task(name='a', work='test_local:until_stopped', argument={{}}, folder=Path({str(tmp_path / 'a')!r}))\n"
        "    list(Local(NoOptions()).carry_out([one]))\n"
    )
    (tmp_path / "program.py").write_text(program)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "program.py")])
    wait_for(tmp_path / "a" / "here")
    assert not (tmp_path / "a" / "saved").exists()
    parent.kill()
    parent.wait()
    wait_for(tmp_path / "a" / "saved")  # fails when it never comes
    assert not (tmp_path / "a" / "failure.json").exists()


class TestLocal(ExecutorConformance):
    name = "local"
