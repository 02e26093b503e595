"""Progress of a command that takes long: silent where it is quick, and gone when it is done."""

from __future__ import annotations

import io

import pytest

from pentad import HeldOut, open_run
from pentad.contracts.observer import Preparation, RunObserver
from pentad_cli.terminal import progress
from pentad_cli.terminal.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


def told(stream, monkeypatch, patience):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "PATIENCE", patience)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    clock = iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    with ProgressLine(stream) as line:
        for done in (None, 0.25, 0.5):
            line.on_preparation(Preparation(what="Scoring \x1b the text", done=done))
    return stream.getvalue()


def test_on_a_terminal_one_line_is_written_over_and_taken_away(monkeypatch):
    out = told(Terminal(), monkeypatch, patience=0)
    assert [part.strip() for part in out.split("\r") if part.strip()] == [
        f"Scoring \\x1b the text {share}".strip() for share in ("…", " 25%", " 50%")
    ]
    assert out.endswith(" \r")


def test_elsewhere_there_are_lines(monkeypatch):
    assert told(io.StringIO(), monkeypatch, patience=0).count("\n") == 3


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_what_is_quick_is_silent(stream, monkeypatch):
    assert told(stream(), monkeypatch, patience=100) == ""


def test_an_evaluation_tells_how_far_it_is(trained):
    events = []

    class Listener(RunObserver):
        def on_preparation(self, event):
            events.append(event)

    open_run(trained).evaluate(observer=Listener())
    shares = [event.done for event in events if event.what == "Scoring the text"]
    assert shares[0] == 0.0 and shares == sorted(shares) and shares[-1] < 1
    assert HeldOut.__dataclass_fields__["progress"].default is None
