"""Ctrl-C and SIGTERM at any moment: what is done is saved, and the words that go on are right."""

from __future__ import annotations

import os
import signal

import pytest

from pentad import RunObserver, resume, run
from pentad.runs.newest import list_checkpoints
from pentad.system.json_lines import read_lines
from pentad.testing import raises_code

pytestmark = pytest.mark.usefixtures("cache")
"""What every test here makes of its text stays in the cache of the session."""


class Stopping(RunObserver):
    """Sends signals to this process when a step is done, or when a checkpoint is written."""

    def __init__(self, *numbers, step=0, saved=0):
        self.numbers, self.step, self.saved = numbers, step, saved

    def on_step(self, event):
        if event.step == self.step:
            self.send()

    def on_checkpoint(self, event):
        if event.step == self.saved:
            self.send()

    def send(self):
        for number in self.numbers:
            os.kill(os.getpid(), number)


def test_folders_are_quoted_in_what_goes_on(text, tmp_path, tiny_recipe):
    folder = tmp_path / "my run[1]"
    with raises_code("interrupted") as caught:
        run(tiny_recipe(text, steps=8), out=folder, observers=[Stopping(signal.SIGINT, step=3)])
    assert caught.value.hint == f"To resume: engine resume '{folder}'"
    resume(folder)
    with raises_code("run-done") as done:
        resume(folder)
    assert f"engine resume '{folder}' --steps 16" in done.value.hint


@pytest.mark.parametrize("when", [{"step": 7}, {"step": 8}, {"saved": 8}], ids=str)
def test_asked_at_the_end_it_saves_and_the_score_is_made_later(text, tmp_path, tiny_recipe, when):
    whole = run(tiny_recipe(text, steps=8), out=tmp_path / "whole")
    with raises_code("interrupted"):
        run(tiny_recipe(text, steps=8), out=tmp_path / "cut", observers=[Stopping(signal.SIGTERM, **when)])
    assert list_checkpoints(tmp_path / "cut") == [8]
    assert resume(tmp_path / "cut").bits_per_byte == whole.bits_per_byte


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_final_score_is_left_at_once(text, tmp_path, tiny_recipe, monkeypatch, number):
    def never(*args, **kwargs):
        os.kill(os.getpid(), number)
        pytest.fail("the signal was not obeyed")

    with monkeypatch.context() as patched:
        patched.setattr("pentad.train.loop.judge", never)
        recipe = tiny_recipe(text, steps=4, evaluation={"evaluate_every": 0.0})
        with raises_code("interrupted") as caught:
            run(recipe, out=tmp_path / "run", observers=[])
        assert "engine resume" in caught.value.hint
    assert resume(tmp_path / "run").bits_per_byte is not None
    scores = [line for line in read_lines(tmp_path / "run" / "metrics.jsonl") if line["kind"] == "evaluation"]
    assert [line["final"] for line in scores] == [True]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal here")
def test_a_terminal_that_is_closed_is_a_wish_to_stop(text, tmp_path, tiny_recipe):
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with raises_code("interrupted"):
            run(tiny_recipe(text, steps=8), out=tmp_path / "run", observers=[Stopping(signal.SIGHUP, signal.SIGHUP, step=3)])
        assert list_checkpoints(tmp_path / "run") == [4]
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        assert resume(tmp_path / "run", observers=[Stopping(signal.SIGHUP, step=6)]).step == 8
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_ctrl_c_is_obeyed_at_once(text, tmp_path, tiny_recipe):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_recipe(text, steps=8), out=tmp_path / "run", observers=[Stopping(signal.SIGINT, signal.SIGINT, step=3)])
    assert list_checkpoints(tmp_path / "run") == []
    assert signal.getsignal(signal.SIGINT) is before
    assert resume(tmp_path / "run").step == 8
