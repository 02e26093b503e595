"""What is suggested after a run works as it is printed: quoted, with what the run needs, and nothing that cannot work."""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import TINY, Result, activated, environment

from pentad import Catalogue, Recipe
from pentad.contracts.observer import RunResult, Sample
from pentad_cli.arguments.layers import default_tables
from pentad_cli.terminal import started
from pentad_cli.terminal.next_steps import next_commands, opening

from .test_display import RESULT, plan

Engine = Callable[..., Result]


@pytest.fixture(autouse=True)
def activate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", activated())
    started.engine_word.cache_clear()


def commands(result: RunResult, **more: object) -> list[str]:
    return next_commands(result, plan(), Catalogue(), **more)  # type: ignore[arg-type]


def test_folders_are_quoted() -> None:
    assert commands(RESULT)[0] == "engine generate 'runs/it'\"'\"'s' --prompt \"The \""
    hostile = dataclasses.replace(RESULT, folder=Path("a\x1b]0;b"))
    assert commands(hostile)[1] == "engine evaluate $'a\\x1b]0;b'"


def test_no_texts_are_suggested_where_the_model_writes_none() -> None:
    bidirectional = dataclasses.replace(RESULT, folder=Path("r"), samples=[])
    assert commands(bidirectional) == ["engine evaluate r"]
    assert commands(dataclasses.replace(bidirectional, evaluation=None)) == []


@pytest.mark.parametrize(
    ("typed", "again"),
    [
        ([], "engine run"),
        (["--data", "my text.txt", "--out", "r", "--json"], "engine run --data 'my text.txt'"),
        (["--model", "gpt", "--model.n-layer", "2", "--steps=5"], "engine run --steps=5"),
        (["--held-out", "0", "--plugin", "./mine.py"], "engine run --held-out 0 --plugin ./mine.py"),
        (["--data", "x" * 120], "engine run --config r/recipe.toml"),
        (None, "engine run --config r/recipe.toml"),
    ],
)
def test_the_same_run_with_another_model(typed: list[str] | None, again: str) -> None:
    result = dataclasses.replace(RESULT, folder=Path("r"))
    assert commands(result, typed=typed)[2].rpartition(" --model ")[0] == again


@pytest.mark.parametrize(
    ("own", "other"),
    [("gpt", "rnn"), ("pentad-gpt:gpt", "rnn"), ("rnn", "gpt"), ("gated-deltanet", "gpt")],
    ids=["named by its plugin", "by its full name", "the other way", "the default where nothing is named"],
)
def test_the_other_model_is_one_to_learn_from(own: str, other: str) -> None:
    recipe = Recipe.from_dict({**default_tables(), "model": {"name": own}})
    told = next_commands(RESULT, plan(recipe=recipe), Catalogue(), typed=[])
    assert told[-1].endswith(f" --model {other}")


def test_a_file_that_brings_a_stage_is_named_again() -> None:
    told = commands(dataclasses.replace(RESULT, folder=Path("r")), plugins=[Path("./my plugin.py")])
    assert all(line.count("--plugin 'my plugin.py'") == 1 for line in told)


@pytest.mark.parametrize(
    ("prompt", "text", "flag"),
    [
        ("", '== 1. ==\nThe_x old, grey mare said "no".', ' --prompt "grey mare said"'),
        ("", "Größe 是 ist alles hier", ' --prompt "Größe 是 ist"'),
        ("", "f(x) = 3\n", ""),
        ("", "", ""),
        ("1 c", "one two three", ' --prompt "1 c"'),
        ("$HOME", "one two three", " --prompt '$HOME'"),
        ("two\nlines", "one two three", ""),
        ("a" * 61, "one two three", ""),
    ],
)
def test_the_prompt_is_given_or_stands_in_the_text(prompt: str, text: str, flag: str) -> None:
    sample = Sample(step=1, index=0, prompt=prompt, text="Zzq wrom", tokens=(), tokens_per_second=1.0)
    result = dataclasses.replace(RESULT, folder=Path("r"), samples=[sample])
    assert commands(result, text=text)[0] == f"engine generate r{flag}"


@pytest.mark.parametrize(
    ("masked", "flag"),
    [("a <mask> b" * 20, ' --prompt "one <mask> three"'), ("To be <mask> be", ' --prompt "To be <mask> be"')],
)
def test_a_masked_run_gets_a_prompt_to_fill_in_and_no_other_model(masked: str, flag: str) -> None:
    sample = Sample(step=1, index=0, prompt="", text="a x b" * 20, masked=masked, tokens=(), tokens_per_second=1.0)
    result = dataclasses.replace(RESULT, folder=Path("r"), samples=[sample])
    assert commands(result, text="one two three") == [f"engine generate r{flag}", "engine evaluate r"]


def test_the_opening_is_the_texts(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("Once upon a time")
    recipe = Recipe.from_dict({**default_tables(), "data": {"sources": [str(tmp_path / "text.txt")]}})
    assert opening(plan(recipe=recipe), Catalogue()) == "Once upon a time"
    gone = Recipe.from_dict({**default_tables(), "data": {"sources": [str(tmp_path / "gone.txt")]}})
    assert opening(plan(recipe=gone), Catalogue()) == opening(None, Catalogue()) == ""


PLUGIN = """
from pentad import Implementation, Sampler, hookimpl, tempered_softmax

class Plain(Sampler):
    def __init__(self, options): pass
    def probabilities(self, logits, tokens):
        return tempered_softmax(logits)

@hookimpl
def engine_samplers():
    return [Implementation(name="plain", summary="Draw.", factory=Plain)]
"""


def test_every_command_runs(engine: Engine, cache: Path, tmp_path: Path) -> None:
    """Of a run that needs a plugin's file, saved to a folder with a space, where `engine` is not on the PATH."""
    (tmp_path / "plain.py").write_text(PLUGIN)
    (tmp_path / "text.txt").write_text("The number one comes before two.\n" * 200)
    bare = {"PATH": "/usr/bin:/bin"}
    flags = ("--data", "text.txt", "--steps", "2", "--plugin", "plain.py", "--sampler", "plain", "--out", "my run", *TINY)
    done = engine("run", *flags, cwd=tmp_path, env=bare)
    assert done.code == 0, done.err
    told = [line.strip() for line in done.out.partition("Try next:")[2].splitlines() if line.strip()]
    assert len(told) >= 2
    for line in told[:2]:
        again = subprocess.run(shlex.split(line), cwd=tmp_path, env=environment(cache, bare), capture_output=True, text=True)
        assert again.returncode == 0, (line, again.stderr)


def test_a_run_that_answers_is_talked_with() -> None:
    sample = dataclasses.replace(RESULT.samples[0], prompt="<|user|>2?<|end_of_turn|><|assistant|>")
    talks = dataclasses.replace(RESULT, folder=Path("r"), samples=[sample])
    assert commands(talks)[0] == "engine chat r"
