"""What every executor needs: calling a task's function, being its process, saying how it went."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from pentad.contracts.executor import DONE, FAILED, STOPPED, call_work, cause_of, outcome_of
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
from pentad.contracts.executor import be_task_process
assert "torch" not in sys.modules
sys.exit(be_task_process(sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3])))
"""


@pytest.fixture
def process(tmp_path):
    """Carries a task out in a process; returns its exit code and its folder."""
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
    assert (code, outcome_of(code, folder)) == (DONE, ("", ""))
    assert json.loads((folder / "said.json").read_text()) == {"say": 1}
    assert "for the log: ü" in (folder / "log.txt").read_text(encoding="utf-8")


def test_a_failure_is_told_with_its_hint_and_forgotten_when_it_is_done_again(process):
    code, folder = process("refuse")
    assert (code, outcome_of(code, folder)) == (FAILED, ("It expected more, found less.", "Give it more."))
    assert process("note")[0] == DONE
    assert not (folder / "failure.json").exists()


@pytest.mark.parametrize(("name", "cause"), [("crash", "ZeroDivisionError: by zero"), ("leave", "SystemExit: no more")])
def test_what_is_no_error_of_ours_is_told_with_its_kind(process, name, cause):
    code, folder = process(name)
    failure, hint = outcome_of(code, folder)
    assert (code, failure, hint) == (FAILED, cause, f"{folder / 'log.txt'} has the traceback.")
    assert "Traceback" in (folder / "log.txt").read_text()


def test_a_task_that_was_stopped_has_not_failed_for_a_reason_of_its_own(process):
    code, folder = process("stop")
    assert (code, outcome_of(code, folder)[0]) == (STOPPED, "it was stopped")
    assert not (folder / "failure.json").exists()


def test_a_killed_process_is_told_by_its_signal(process):
    code, folder = process("die")
    assert (code, outcome_of(code, folder)[0]) == (-signal.SIGKILL, "its process was killed by SIGKILL")
    assert "--batch-size" in outcome_of(code, folder)[1]
    assert outcome_of(-250, folder)[0] == "its process was killed by 250"


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_process_that_left_no_word_is_told_by_its_code(tmp_path, content):
    if content is not None:
        (tmp_path / "failure.json").write_text(content)
    assert outcome_of(3, tmp_path)[0] == "its process ended with 3"


def test_work_can_be_called_in_this_process(tmp_path, monkeypatch):
    (tmp_path / "work_called_here.py").write_text(WORK, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    call_work("work_called_here:note", {}, tmp_path / "new")
    assert (tmp_path / "new" / "said.json").is_file()
    with raises_code("too-little") as caught:
        call_work("work_called_here:refuse", {}, tmp_path)
    assert cause_of(caught.value, tmp_path) == ("It expected more, found less.", "Give it more.")
