"""A hint says what to type: each one that is tested here is then typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from tests.cli.conftest import Result

from pentad import Catalogue
from pentad.config.stages import STAGES
from pentad_cli.arguments.hints import name_hint
from pentad_cli.arguments.synonyms import COMMANDS, NAMES, OPTIONS
from pentad_cli.commands.generate import generate
from pentad_cli.commands.run import run
from pentad_cli.group import engine as group

Cli = Callable[..., Result]

MEANT = {
    "run --lr 3": "--optimizer.lr",
    "run --learning_rate 3": "--optimizer.lr",
    "run --gpu": "--device cuda",
    "run --block-size 3": "--context-length",
    "run --max-steps 3": "--steps",
    "run --top-k 5": "--sampler top-k --sampler.k",
    "run --temperature 1": "--sampler.temperature",
    "run --name x": "--out",
    "run --rnn": "--model rnn",
    "run --model lstm": "--model rnn --model.cell lstm",
    "run --model transformer": "--model gpt",
    "run --model RNN": "--model rnn",
    "run --sampler nucleus": "--sampler top-p",
    "run --optimizer adam": "--optimizer adamw",
    "run --builder causal": "--builder next-token",
    "run --builder mlm": "--builder masked",
    "run --builder fim": "--builder fill-in-middle",
    "run --builder ul2": "--builder span-corruption --builder.mixture ul2",
    "run --model bpe": "bpe is a tokenizer: --tokenizer bpe",
    "run --sampler muon": "muon is an optimizer: --optimizer muon",
    "run --model.cell gru": "an option of the model rnn: use --model rnn --model.cell",
    "run --cell gru": "an option of the model rnn: use --model rnn --model.cell",
    "run --model.lr 3": "--optimizer.lr",
    "run --model rnn,n_layer=2": "--model.n-layer VALUE",
    "run --sampler greedy+top-p,p=0.5": "in a chain --sampler.top-p.p VALUE",
    "run --model gpt,rnn": "engine compare --model gpt,rnn",
    "generate RUN --batch-size 3": "an option of engine run",
    "generate RUN --model gpt": "engine run --model NAME",
    "generate RUN --nucleus 0.9": "--top-p",
    "generate RUN --length 5": "--max-tokens",
    "generate RUN --sampler top-k+min-p --sampler.k 3": "--sampler.top-k.k",
    "run --learnin-rate 3": "--optimizer.lr",
    "run --model rnn --model.n-layr 3": "--model.n-layer?",
    "run --model rnn --model.zzz 3": "--model has: ",
    "run --builder.zzz 3": "--builder has: ",
    "trian": "Use engine run.",
    "finetune": "Use engine run --start RUN.",
    "train": "Use engine run.",
    "sample": "Use engine generate.",
    "eval": "Use engine evaluate.",
    "continue": "Use engine resume.",
}


@pytest.mark.parametrize("line", MEANT)
def test_words_of_elsewhere(line: str, cli: Cli, trained: Path) -> None:
    result = cli(*(str(trained) if word == "RUN" else word for word in line.split()))
    assert result.code == 2
    assert MEANT[line] in result.err.splitlines()[-1]


def test_a_file_is_for_data(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "my text.txt").write_text("text")
    assert "engine run --data 'my text.txt'" in cli("my text.txt").err


def test_every_suggested_option_is_one() -> None:
    """Of some command here, or of what is installed: a table that names what is gone would send people nowhere."""
    catalogue = Catalogue()
    flags = {flag for command in (run, generate) for flag in command.flags_with_value()}
    flags |= {flag for command in (run, generate) for param in command.params for flag in param.opts}
    for kind in STAGES:
        for offer in catalogue.offers(kind):
            flags |= {f"--{kind}.{name.replace('_', '-')}" for name in offer.options.__dataclass_fields__}
    flags |= {"--with", "--limit"}  # of evaluate and examples
    for word, targets in OPTIONS.items():
        assert any(f"--{target.split()[0]}" in flags for target in targets), word


def test_every_suggested_command_is_one() -> None:
    known = group.list_commands(click.Context(group))
    to_come = {"save", "convert", "status", "gui", "web", "ui"}  # of plugins that need not be installed
    for word, targets in COMMANDS.items():
        assert word in to_come or any(name.startswith("--") or name.split()[0] in known for name in targets), word
        assert word not in targets or len(targets) > 1


def test_only_what_is_installed_is_suggested() -> None:
    empty = Catalogue(entry_points=[])
    assert all(name_hint(stage, word, empty) == "" for stage in NAMES for word in NAMES[stage])


@pytest.mark.parametrize("started", ["path", "module"])
def test_a_hint_runs_where_nothing_is_activated(
    started: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `make run`: `engine` is not on the PATH."""
    import subprocess
    import sys

    from pentad_cli.terminal import started as module

    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if started == "module":
        monkeypatch.setattr(sys, "argv", ["/somewhere/__main__.py"])
        monkeypatch.setattr(Path, "is_file", lambda path: False)
    module.engine_word.cache_clear()
    hint = cli("train").err.splitlines()[-1]
    module.engine_word.cache_clear()
    monkeypatch.undo()
    words = shlex.split(re.search(r"Use (.*) run\.", hint)[1])  # type: ignore[index]
    done = subprocess.run([*words, "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith("pentad "), done


def test_what_is_not_installed_is_installed_from_the_checkout() -> None:
    from pentad_cli.terminal.started import runnable

    told = runnable("Install it with: pip install pentad-zstd")
    place = Path(told.rpartition(" ")[2])
    assert (place / "pyproject.toml").is_file() and " -m pip install --editable " in told
    assert runnable("pip install pentad-nowhere").endswith("-m pip install pentad-nowhere")
    assert runnable("pip install torch") == "pip install torch"
    assert runnable("pip install pentad-gpt==0.0.1").endswith(" pentad-gpt==0.0.1")  # the sources here are of another version
    assert "make -C " in runnable("pip install pentad brings the default plugins.")
