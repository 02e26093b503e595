from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Result

from pentad_cli.arguments.scanning import look, positional

Cli = Callable[..., Result]

PLUGIN = """
from dataclasses import dataclass
from pentad import Implementation, Observer, RunObserver, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class Options:
    words: tuple[str, ...] = option((), "Some words.")
    loud: bool = option(False, "Whether to shout.")
    at: float | None = option(None, "Where.", ge=0)


@hookimpl
def engine_tokenizers():
    return [Implementation(name="mine", summary="Mine.", factory="nowhere:Mine", options=Options)]
"""


def test_the_first_look_takes_values_however_they_look() -> None:
    arguments = ["--prompt", "--model", "--model=rnn", "--model.n-layer", "2", "--config", "a.toml", "--", "--model", "gpt"]
    found = look(arguments, ["--prompt", "--model", "--config"])
    assert found == {"--prompt": ["--model"], "--model": ["rnn"], "--config": ["a.toml"]}


def test_a_missing_value_is_left_to_the_strict_pass() -> None:
    assert look(["--model"], ["--model"]) == {}


@pytest.mark.parametrize(
    "line",
    [
        *("RUN --seed 3", "--seed 3 RUN", "--sampler.k 3 RUN", "--sampler.k=3 RUN", "--json RUN", "--sampler greedy RUN"),
        *("-- RUN", "--seed 3 -- RUN", "--sampler.loud --seed 3 RUN"),
    ],
)
def test_the_run_is_found_wherever_it_stands(line: str) -> None:
    assert positional(line.split(), ["--seed", "--sampler"]) == "RUN"


def test_a_runs_own_values_are_not_shown_as_defaults(cli: Cli) -> None:
    for command, real in (("resume", ""), ("generate", "default 0, default auto")):
        shown = " ".join(cli(command, "--help").out.split())
        assert ", ".join(re.findall(r"default \w+", shown)) == real
    assert "the run's own end holds" in " ".join(cli("resume", "--help").out.split())
    assert "[default 150s]" in " ".join(cli("run", "--help").out.split())


def test_help_shows_the_options_of_what_was_named(cli: Cli) -> None:
    shown = cli("run", "--model", "gpt", "--help").out
    assert "Options of the model gpt:" in shown
    assert "--model.n-layer INT" in shown
    assert "Number of blocks. [default 3; >= 1]" in " ".join(shown.split())
    assert "--model.position rotary|learned|none" in shown
    assert "Options of the optimizer" not in shown
    assert "--batch-size INT" in shown
    other = cli("run", "--model", "rnn", "--optimizer", "adamw", "--help").out
    assert "Options of the model rnn:" in other
    assert "Options of the optimizer adamw:" in other
    assert "rotary" not in other


def test_help_shows_what_the_layers_below_the_flags_say(cli: Cli, tmp_path: Path) -> None:
    assert "block outputs. [default 0.0;" in " ".join(cli("run", "--model", "gpt", "--help").out.split())
    (tmp_path / "mine.toml").write_text('[model]\nname = "gpt"\ndropout = 0.3\n')
    assert "block outputs. [default 0.3;" in " ".join(cli("run", "--config", "mine.toml", "--help").out.split())


def test_help_without_names_points_the_way(cli: Cli) -> None:
    shown = cli("run", "--help").out
    assert "Options of the" not in shown
    assert "engine run --model gpt --help" in " ".join(shown.split())
    assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize("name", ["run", "resume", "generate", "evaluate", "tokenize", "examples", "plugins", "doctor"])
def test_every_command_has_help_with_examples(name: str, cli: Cli) -> None:
    result = cli(name, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: engine {name}")
    assert "--json" in result.out
    assert "--debug" in result.out


def test_a_file_plugin_brings_its_options(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "its_words.py").write_text(PLUGIN)
    arguments = ["run", "--plugin", "its_words.py", "--tokenizer", "mine", "--tokenizer.words", "a,b"]
    shown = cli(*arguments, "--tokenizer.loud", "--tokenizer.at", "none", "--print-config")
    assert shown.code == 0, shown.err
    tokenizer = shown.out.split("[builder]")[0]
    assert 'name = "mine"' in tokenizer
    assert "loud = true" in tokenizer
    assert 'at = "none"' in tokenizer
    assert '"a",' in tokenizer
    wrong = cli(*arguments, "--tokenizer.at", "-1")
    assert wrong.error == "option-bounds" and "--tokenizer.at " in wrong.err


def test_a_repeated_list_option_is_a_list(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "its_words2.py").write_text(PLUGIN)
    arguments = ["run", "--plugin", "its_words2.py", "--tokenizer", "mine"]
    shown = cli(*arguments, "--tokenizer.words", "a", "--tokenizer.words", "b,c", "--print-config", "--json")
    assert '"words": [\n      "a",\n      "b,c"\n    ]' in shown.out


@pytest.mark.parametrize("flag", ["--data", "--prompt", "--held-out-data"])
def test_bytes_that_are_no_text_are_named(flag: str, cli: Cli) -> None:
    result = cli("run", flag, "a\udcff.txt")
    assert (result.code, result.error) == (2, "argument-not-utf8")
    error, hint = result.err.splitlines()
    assert flag in error and r"a\udcff.txt" in error
    assert "Rename the file" in hint
