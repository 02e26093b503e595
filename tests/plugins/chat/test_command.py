"""`engine chat` as a process, through a pipe."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ENDLESS = """
import torch
from pentad import Implementation, NoOptions, Sampler, hookimpl

class Endless(Sampler):
    def __init__(self, options: NoOptions) -> None:
        pass

    def probabilities(self, logits, tokens):
        return torch.nn.functional.one_hot(torch.full((len(logits),), 97), logits.shape[1]).float()

@hookimpl
def engine_samplers():
    return [Implementation(name="endless", summary="Writes a without end.", factory=Endless)]
"""


Talk = Callable[..., tuple[list[str], str]]


@pytest.fixture
def talk(warm_engine: list[str]) -> Talk:
    """Return a function that says lines to a run, and returns the lines of stdout, and stderr."""

    def say(run: Path, *lines: str, arguments: tuple[str, ...] = ()) -> tuple[list[str], str]:
        command = [*warm_engine, "chat", str(run), "--max-tokens", "12", *arguments]
        said = "".join(f"{line}\n" for line in lines)
        done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines(), done.stderr

    return say


def test_lines_are_answered_and_slashes_obeyed(talk: Talk, talker: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.jsonl"
    words = (
        "/system Be kind.",
        "7?",
        "8?",
        "/undo",
        f"/save {saved}",
        "/sampler no-such",
        "/sampler greedy",
        "/rest",
        "/reset",
    )
    answers, notes = talk(talker, *words, f"/save {saved}", "//9?", "", "/help", "/quit", "10?")
    assert answers == ["cats."] * 2 + answers[2:] and len(answers) == 3
    (record,) = map(json.loads, saved.read_text().splitlines())
    assert [message["content"] for message in record["messages"]] == ["Be kind.", "7?", "cats."]
    for word in ("no-such", "/reset", "nothing to save", "Forgotten: 8?", "/sampler NAME"):
        assert word in notes


def test_a_base_run_continues_each_line_and_says_so(talk: Talk, base: Path) -> None:
    answers, notes = talk(base, "7 cats", arguments=("--sampler", "temperature,temperature=0.5"))
    assert answers and "continued as plain text" in notes


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_the_answer_and_not_the_program(base: Path, tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    plugin = ("--plugin", str(tmp_path / "endless.py"), "--sampler", "endless", "--max-tokens", "1000000")
    command = [sys.executable, "-u", "-m", "pentad_cli", "chat", str(base), *plugin]
    foreground = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # also where the tests are in the background
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, preexec_fn=foreground, **pipes) as process:
        assert process.stdin and process.stdout
        try:
            for _ in range(2):
                process.stdin.write("7 cats sat on mat\n")
                process.stdin.flush()
                assert process.stdout.read(1) == "a"  # it has begun
                process.send_signal(signal.SIGINT)
                assert set(process.stdout.readline()) <= {"a", "\n"}
            _, notes = process.communicate("/quit\n", timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0 and notes.count("ended by Ctrl-C") == 2
