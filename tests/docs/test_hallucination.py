"""The commands of docs/hallucination.md work in their order, in little; what its script says of answers is so."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pentad_cli.main import call

from .conftest import ROOT, read_page

SMALL = ("--steps 1", "--batch-size 2", "--model.n-layer 1", "--model.n-embd 16", "--model.n-head 2")


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a script of examples."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def small(command: str) -> str:
    """Return a training with a tiny model, one step, and little text."""
    if not command.startswith("engine run"):
        return command
    for flag in SMALL:
        command = re.sub(rf"{flag.split()[0]} \S+", flag, command)
    return command.replace("data/plain.txt", "data/unseen.txt").replace("data/some.txt", "data/unseen.txt")


def test_its_commands_work_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    talks, unknown = load("talks", monkeypatch), load("unknown", monkeypatch)
    monkeypatch.setattr(unknown, "ANIMALS", talks.ANIMALS[:2])
    monkeypatch.setattr(unknown, "STRANGERS", talks.STRANGERS[:2])
    count = 0
    for typed in read_page(ROOT / "docs" / "hallucination.md"):
        words = shlex.split(small(typed.command))
        if words[:2] == ["python", "examples/talks.py"]:
            talks.main(Path(words[2]))
        elif words[:2] == ["python", "examples/unknown.py"]:
            known, others = unknown.main(Path(words[2]))
            assert len(known) == len(others) == 6
            assert all(0 < one.least <= one.mean <= 1 and one.right is False for one in known)
            assert all(one.right is None for one in others)
        else:
            assert call(words[1:]) == 0, capsys.readouterr().err
            said = capsys.readouterr().out
            assert "calibration_error" in said or "--with" not in words
            assert "others" in said or "--alternatives" not in words
        count += 1
    assert count == 10
    assert (tmp_path / "calibration.svg").read_text().startswith("<svg")


def test_strangers_stand_in_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talks = load("talks", monkeypatch)
    talks.main(tmp_path)
    for path in tmp_path.iterdir():
        met = [animal for animal in talks.STRANGERS if re.search(rf"\b{animal}\b", path.read_text())]
        assert met == (talks.STRANGERS if path.stem == "strangers" else []), path.name


def test_separation_is_the_share_of_pairs_that_are_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    load("talks", monkeypatch)
    unknown = load("unknown", monkeypatch)
    assert unknown.separation([0.9, 0.8], [0.1, 0.2]) == 1
    assert unknown.separation([0.5], [0.5]) == 0.5
    assert unknown.separation([0.9, 0.1], [0.5, 0.05]) == 0.75
