"""What every executor needs: calling a task's function, being its process, describing how it ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from pentad.contracts.executor import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_STOPPED,
    TaskFailure,
    call_work,
    describe_exit,
    describe_failure,
)
from pentad.testing import raises_code

WORK = """
import json, os, signal
from pentad.system.errors import EngineError, Interrupted

def note(argument, folder):
    (folder / "said.json").write_text(json.dumps(dict(argument)))
    print("something for the log: ü")

def refuse(argument, folder):
    raise EngineError("It expected more, found less.", "Give it more.", code="too-little")

def crash(argument, folder):
    raise ZeroDivisionError("by zero")

def leave(argument, folder):
    raise SystemExit("no more")

def stop(argument, folder):
    raise Interrupted("Stopped.", "")

def die(argument, folder):
    os.kill(os.getpid(), signal.SIGKILL)
"""

PROCESS = """
import json, sys
from pathlib import Path
from pentad.contracts.executor import run_task_process
assert "torch" not in sys.modules
sys.exit(run_task_process(sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3])))
"""


@pytest.fixture
def process(tmp_path):
    """Runs a task in a process; returns its exit code and its folder."""
    (tmp_path / "some_work.py").write_text(WORK, encoding="utf-8")

    def start(name, **argument):
        folder = tmp_path / "task"
        command = [sys.executable, "-c", PROCESS, f"some_work:{name}", json.dumps(argument), str(folder)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr) == ("", "")
        return done.returncode, folder

    return start


def test_a_task_leaves_what_it_makes_and_what_it_prints(process):
    code, folder = process("note", say=1)
    assert (code, describe_exit(code, folder)) == (EXIT_DONE, None)
    assert json.loads((folder / "said.json").read_text()) == {"say": 1}
    assert "for the log: ü" in (folder / "log.txt").read_text(encoding="utf-8")


def test_a_failure_is_told_with_its_hint_and_forgotten_when_it_is_done_again(process):
    code, folder = process("refuse")
    failure = TaskFailure("It expected more, found less.", "Give it more.", "too-little")
    assert (code, describe_exit(code, folder)) == (EXIT_FAILED, failure)
    assert process("note")[0] == EXIT_DONE
    assert not (folder / "failure.json").exists()


@pytest.mark.parametrize(("name", "cause"), [("crash", "ZeroDivisionError: by zero"), ("leave", "SystemExit: no more")])
def test_what_is_no_error_of_ours_is_told_with_its_kind(process, name, cause):
    code, folder = process(name)
    failure = describe_exit(code, folder)
    assert (code, failure.code, failure.message) == (EXIT_FAILED, "task-crashed", cause)
    assert str(folder / "log.txt") in failure.hint
    assert "Traceback" in (folder / "log.txt").read_text()


def test_a_task_that_was_stopped_has_not_failed_for_a_reason_of_its_own(process):
    code, folder = process("stop")
    assert (code, describe_exit(code, folder).code) == (EXIT_STOPPED, "task-stopped")
    assert not (folder / "failure.json").exists()


def test_a_killed_process_is_told_by_its_signal(process):
    code, folder = process("die")
    failure = describe_exit(code, folder)
    assert (code, failure.code) == (-signal.SIGKILL, "task-killed")
    assert "SIGKILL" in failure.message and "--batch-size" in failure.hint
    assert "250" in describe_exit(-250, folder).message


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_a_process_that_left_no_word_is_told_by_its_code(tmp_path, content):
    if content is not None:
        (tmp_path / "failure.json").write_text(content)
    failure = describe_exit(3, tmp_path)
    assert failure.code == "task-crashed" and "exit code 3" in failure.message


def test_work_can_be_called_in_this_process(tmp_path, monkeypatch):
    (tmp_path / "work_called_here.py").write_text(WORK, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    call_work("work_called_here:note", {}, tmp_path / "new")
    assert (tmp_path / "new" / "said.json").is_file()
    with raises_code("too-little") as caught:
        call_work("work_called_here:refuse", {}, tmp_path)
    assert describe_failure(caught.value, tmp_path).code == "too-little"
