"""From Python: the defaults of `engine run`, and a display where somebody looks."""

from __future__ import annotations

import io
import sys
import types

import pytest

from pentad import Recipe, resume, run
from pentad.config.front_end import front_end
from pentad_cli import front_end as cli_front_end
from pentad_cli.arguments.layers import default_tables

SMALL = {"tokenizer": "byte", "training": {"steps": 2, "batch_size": 2, "context_length": 8}, "generation": {"max_tokens": 4}}


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Train as somebody does whose output goes to a stream, and return what was written."""
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TERM", "xterm")
    (tmp_path / "a.txt").write_text("the cat sat on the mat. " * 60, encoding="utf-8")

    def train(stream, folder="run", **arguments):
        monkeypatch.setattr(sys, "stdout", stream)
        recipe = Recipe(**{**SMALL, "data": tmp_path / "a.txt", "machine": {"device": "cpu", "precision": "fp32"}})
        run(recipe, out=tmp_path / folder, **arguments)
        return stream.getvalue()

    return train


def test_a_bare_recipe_is_that_of_the_command_line():
    assert front_end() is cli_front_end
    assert Recipe() == Recipe.from_dict(default_tables())


def test_a_terminal_shows_the_run_and_how_it_ended(train):
    written = train(Terminal())
    assert "tokenizer" in written and "bits per byte" in written and "Saved to" in written
    assert "Try next" not in written


def test_a_notebook_gets_lines(train, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    written = train(io.StringIO())
    assert "step 1/2" in written and "Saved to" in written and "\x1b" not in written


def test_a_script_and_who_names_observers_hear_nothing(train, tmp_path):
    assert train(io.StringIO(), "script") == ""
    assert train(Terminal(), "quiet", observers=()) == ""


def test_resume_is_shown_too(train, tmp_path, monkeypatch):
    train(io.StringIO())
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    assert resume(tmp_path / "run", steps=4).step == 4
    assert "Saved to" in stream.getvalue()


def test_only_the_first_process_shows_it(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert cli_front_end.display() is None
