"""`engine run --start RUN`: a run that goes on from the weights of another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import TEXT, TINY, Result

Cli = Callable[..., Result]
SMALL = ("--precision", "fp32", "--threads", "1", "--compile", "off", "--max-tokens", "8", "--batch-size", "4")


@pytest.fixture
def base(cli: Cli, tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT)
    model = ("--model", "rnn", "--model.n-layer", "1", "--model.n-embd", "16", "--model.dropout", "0.1")
    done = cli("run", "--data", "text.txt", "--tokenizer", "byte", *model, *SMALL, "--steps", "2", "--out", "base")
    assert done.code == 0, done.err
    return tmp_path / "base"


def test_nothing_but_the_run_needs_to_be_named(cli: Cli, base: Path) -> None:
    done = cli("run", "--start", base, "--data", "text.txt", *SMALL, "--steps", "2", "--out", "next", "--json")
    assert done.code == 0, done.err
    facts = json.loads(Path("next", "engine.json").read_text())
    assert facts["stages"]["model"]["name"] == "rnn"
    assert facts["stages"]["tokenizer"]["name"] == "byte"
    assert facts["start"] == {"run": str(base), "step": 2}
    assert 'n_embd = 16\nn_hidden = "none"\ndropout = 0.0' in Path("next", "recipe.toml").read_text()


def test_the_plan_says_where_it_starts_and_what_changed(cli: Cli, base: Path) -> None:
    said = cli("run", "--start", base, "--data", "text.txt", *SMALL, "--steps", "2", "--builder", "prefix", "--dry-run")
    assert said.code == 0, said.err
    row = " ".join(said.out.split())
    assert "start " in row
    assert "step 2" in row
    assert "builder next-token -> prefix" in row
    assert "model.dropout 0.1 -> 0.0" in row
    record = json.loads(cli("run", "--start", base, "--data", "text.txt", *SMALL, "--steps", "2", "--dry-run", "--json").out)
    assert record["start"]["changed"] == {"model.dropout": [0.1, 0.0]}


def test_a_recipe_may_name_the_run(cli: Cli, base: Path, tmp_path: Path) -> None:
    (tmp_path / "next.toml").write_text(f'[start]\nrun = "{base}"\n[data]\nsources = ["text.txt"]\n')
    shown = cli("run", "--config", "next.toml", "--print-config", "--json")
    tables = json.loads(shown.out)
    assert tables["model"]["name"] == "rnn"
    assert tables["model"]["n_embd"] == 16
    assert tables["start"] == {"run": str(base)}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--model", "gpt"), "start-mismatch"),
        (("--model.n-embd", "32"), "start-mismatch"),
        (("--tokenizer", "bpe"), "start-mismatch"),
    ],
)
def test_what_does_not_fit_is_wrong_usage(cli: Cli, base: Path, arguments: tuple[str, ...], code: str) -> None:
    done = cli("run", "--start", base, "--data", "text.txt", *SMALL, "--steps", "2", "--out", "next", *arguments)
    assert (done.code, done.error) == (2, code)
    assert not Path("next").exists()


def test_no_run_to_start_from(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", "--start", "nowhere", "--steps", "2")
    assert (done.code, done.error) == (2, "not-a-run")


def test_an_adapter_brings_its_options(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    base = tmp_path / "base"
    assert cli("run", "--data", "text.txt", *TINY, "--steps", "2", "--out", base).code == 0
    flags = ("--adapter", "lora", "--adapter.rank", "2", "--optimizer", "adamw")
    assert "--adapter.rank" in cli("run", "--adapter", "lora", "--help").out
    done = cli("run", *flags, "--start", base, "--data", "text.txt", *SMALL, "--steps", "2", "--out", "next")
    assert done.code == 0, done.err
    assert '[adapter]\nname = "lora"\nrank = 2\nalpha = 16.0\n' in Path("next", "recipe.toml").read_text()
    assert "adapter none -> lora" in " ".join(done.out.split())
    assert cli("generate", "next", "--max-tokens", "3").code == 0
    again = cli("run", "--config", Path("next", "recipe.toml"), "--print-config", "--json")
    assert json.loads(again.out)["adapter"]["rank"] == 2
    missing = cli("run", *flags, "--data", "text.txt", *SMALL, "--steps", "2")
    assert (missing.code, missing.error) == (2, "adapter-without-start")


@pytest.mark.parametrize("value", ["[1]", "{}", "5"])
def test_a_start_that_is_no_path(cli: Cli, tmp_path: Path, value: str) -> None:
    (tmp_path / "odd.toml").write_text(f"[start]\nrun = {value}\n")
    done = cli("run", "--config", tmp_path / "odd.toml", "--dry-run")
    assert (done.code, done.error) == (2, "option-type")
