"""The story of docs/post-training.md, told by its script: every command of the page works, in little."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def story() -> ModuleType:
    spec = importlib.util.spec_from_file_location("story", ROOT / "examples" / "story.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["story"] = module  # its dataclass looks there for its annotations
    spec.loader.exec_module(module)
    return module


def small(page: str) -> str:
    """Return the page with tiny models and trainings, and the questions for two runs only."""
    for pattern, little in (
        (r"--steps \d+", "--steps 1"),
        (r"--batch-size \d+", "--batch-size 2"),
        (r"--model.n-layer 3 --model.n-embd 96 --model.n-head 3", "--model.n-layer 1 --model.n-embd 16 --model.n-head 2"),
        (r"number=\d+", "number=20"),
        (r"data/(plain|some)\.txt", "data/unseen.txt"),
        (r"arithmetic,level=1,repeat=\d+", "arithmetic,level=1,number=20,repeat=2"),
        (r"\$ engine run [^$]*\$F [^$]*--out runs/(forgetful|hasty|scorer)\n", ""),
        (r"\$ engine evaluate runs/(scorer|base) .*\n", ""),
        (r"\$ for run in [\w ]+; do engine evaluate runs/\$run --builder (dpo|chat --data (data|arithmetic))\b.*\n", ""),
        (r"\$ for run in [\w ]+; do printf [^`]*", ""),
        (r"\$ engine compare [^`]*", ""),
        (r"for run in base [\w ]+; do", "for run in base; do"),
        (r"for run in chat [\w ]+; do", "for run in grpo; do"),
    ):
        page, found = re.subn(pattern, little, page)
        assert found, pattern
    return page


def test_every_command_of_the_page_works_and_a_second_call_does_nothing_again(
    story: ModuleType,
    warm_engine: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    stub = tmp_path / "bin" / "engine"
    stub.parent.mkdir()
    stub.write_text(f'#!/bin/sh\nexec {shlex.join(warm_engine)} "$@"\n')
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(stub.parent), str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    page = tmp_path / "page.md"
    page.write_text(small(story.PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    arguments = ["--page", str(page), "--out", str(tmp_path / "story"), "--jobs", "1", "--seeds", "4"]
    assert story.main(arguments) == 0
    shown = capfd.readouterr()
    for measure in (
        "base  unseen bits_per_byte",
        "grpo  sorting task_accuracy",
        "dpo  steps",
    ):
        assert measure in shown.out, shown.err
    grpo = (tmp_path / "story" / "seed-4" / "runs" / "grpo" / "recipe.toml").read_text()
    assert "\nseed = 4\n" in grpo
    commands = story.commands_of(page.read_text())
    assert shown.err.count("\n") == len(commands)

    base = next(command for command in commands if "evaluate runs/base" in command.words)
    next((tmp_path / "story" / "seed-4" / "figures").glob(f"{base.key}.json")).unlink()
    assert story.main([*arguments, "--json"]) == 0
    again = capfd.readouterr()
    assert again.err.count("\n") == 1 and base.words in again.err
    assert len(json.loads(again.out)["4"]) == len(commands)


def test_a_command_depends_on_what_it_reads(story: ModuleType) -> None:
    commands = {command.makes or command.words: command for command in story.commands_of(story.PAGE.read_text())}
    assert commands["base"].needs == ("data",)
    assert set(commands["grpo"].needs) == {"dpo", "data"}
    assert set(commands["adapters"].needs) == {"base", "data"}
    assert len({command.key for command in commands.values()}) == len(commands)


def test_a_command_that_fails_is_shown_and_stops_what_needs_it_alone(
    story: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = tmp_path / "bin" / "engine"
    engine.parent.mkdir()
    engine.write_text('#!/bin/sh\ncase "$*" in *bad*) echo wrong >&2; exit 1;; esac\necho \'{"step": 1, "seconds": 2.0}\'\n')
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(engine.parent), os.environ["PATH"]]))
    page = tmp_path / "page.md"
    typed = ("engine run --out runs/bad", "engine run --start runs/bad --out runs/next", "engine run --out runs/good")
    page.write_text("```console\n" + "".join(f"$ {line}\n" for line in typed) + "```\n")
    assert story.main(["--page", str(page), "--out", str(tmp_path / "story")]) == 1
    shown = capfd.readouterr()
    assert "wrong" in shown.err and "runs/next" not in shown.err
    assert "good  steps    1.000" in shown.out and "bad" not in shown.out


def test_what_has_changed_on_the_page_is_done_anew_with_all_that_needs_it(story: ModuleType) -> None:
    page = story.PAGE.read_text()
    before = {command.key for command in story.commands_of(page)}
    changed = story.commands_of(page.replace("--builder.beta 0.02", "--builder.beta 0.03"))
    new = [command for command in changed if command.key not in before]
    assert {command.makes for command in new} == {"grpo", ""}
    assert all("runs/grpo" in command.words for command in new)
