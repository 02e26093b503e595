from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from pentad_cli.terminal import output


@dataclass
class Record:
    path: Path
    loss: float
    tokens: tuple[int, ...]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_is_ascii_without_nan(capsys: pytest.CaptureFixture[str]) -> None:
    output.say_json({"record": Record(Path("runs/a"), float("nan"), (1, -2, 3)), "text": "é\x1b\u202e [\n 1,\n 2 ]"})
    text = capsys.readouterr().out
    assert text.isascii()
    assert "\x1b" not in text
    assert '"tokens": [1, -2, 3]' in text
    assert json.loads(text) == {
        "record": {"path": "runs/a", "loss": None, "tokens": [1, -2, 3]},
        "text": "é\x1b\u202e [\n 1,\n 2 ]",
    }


def test_colours_only_where_a_person_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert output.paint("a", "bold red", Terminal()) == "\x1b[1;31ma\x1b[0m"
    assert output.paint("a", "red", io.StringIO()) == "a"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert output.has_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.paint("a", "red", Terminal()) == "a"
    monkeypatch.setenv("TERM", "dumb")
    assert not output.is_terminal(Terminal())


def test_a_table_wraps_its_last_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = output.table([("a", "1", "one two three four five six seven eight"), ("bbb", "22", "\x1b")], header=("x", "y", "z"))
    lines = text.split("\n")
    assert lines[0] == "  x    y   z"
    assert all(len(line) <= 40 for line in lines)
    assert lines[-1] == "  bbb  22  \\x1b"
    assert lines[2].startswith(" " * 11)


def test_an_empty_table_is_nothing() -> None:
    assert output.table([]) == ""
