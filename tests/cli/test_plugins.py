from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from pentad.registry.catalogue import Catalogue, Problem

from .conftest import Result

Cli = Callable[..., Result]

COIN = """
from pentad import Implementation, Sampler, hookimpl, tempered_softmax


class Good(Sampler):
    def __init__(self, options): pass
    def probabilities(self, logits, tokens): return tempered_softmax(logits)


class Bad(Good):
    def probabilities(self, logits, tokens): return tempered_softmax(logits) * 2


@hookimpl
def engine_samplers():
    return [Implementation(name="CLASS", summary="Toss a \\x1b[31mcoin.", factory=CLASS_)]
"""


@pytest.mark.parametrize("name", ["dry", "huggingface", "reward:reward-model", "grpo", "span-corruption", "arithmetic"])
def test_the_example_of_an_option_can_be_typed(name: str, cli: Cli) -> None:
    example = shlex.split(cli("plugins", "show", name).out.splitlines()[-1])
    assert example[:2] == ["engine", "run"]
    assert cli(*example[1:], "--print-config").code == 0


def test_the_list_names_everything_once(cli: Cli) -> None:
    result = cli("plugins")
    assert result.code == 0
    assert result.out == cli("plugins", "list").out
    for name in ("gpt", "rnn", "bpe", "muon", "top-k", "python-docs", ".parquet"):
        assert sum(line.startswith(f"  {name} ") for line in result.out.splitlines()) == 1
    assert "pentad-gpt 0.1.0" in result.out
    assert all(len(line) <= 80 for line in result.out.splitlines())


def test_the_list_as_json(cli: Cli) -> None:
    facts = json.loads(cli("plugins", "--json").out)
    assert {"kind", "name", "full_name", "distribution", "version", "summary"} == set(facts["offers"][0])
    assert facts["problems"] == []


def test_what_a_plugin_prints_is_no_part_of_the_result(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "talking_plugin.py"
    path.write_text("print('hello')\n" + COIN.replace("CLASS_", "Good").replace("CLASS", "talking-coin"))
    result = cli("plugins", "list", "--plugin", path, "--json")
    assert "talking-coin" in [offer["name"] for offer in json.loads(result.out)["offers"]]
    assert result.err == "hello\n"


def test_a_broken_plugin_is_listed_with_its_cause(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = Catalogue()
    catalogue.problems.append(
        Problem(distribution="acme-gpt", version="3.1", cause="ImportError: no\x1b", details="Traceback: deep")
    )
    monkeypatch.setattr("pentad_cli.commands.plugins.installed", lambda: catalogue)
    shown = cli("plugins")
    assert shown.code == 0
    assert "acme-gpt 3.1  ImportError: no\\x1b" in shown.out
    assert "gpt " in shown.out
    assert "deep" not in shown.err
    assert "deep" in cli("plugins", "--debug").err
    assert cli("plugins", "show", "acme-gpt").error == "distribution-broken"
    assert json.loads(cli("plugins", "--json").out)["problems"][0]["distribution"] == "acme-gpt"


def test_show_lists_the_options(cli: Cli) -> None:
    out = cli("plugins", "show", "gpt").out
    assert out.startswith("gpt  model of pentad-gpt 0.1.0\n")
    words = " ".join(out.split())
    assert "n-layer 3 Number of blocks. [int; >= 1]" in words
    assert "rotary|learned|none]" in words
    assert "engine run --model gpt --model.n-layer 3" in words


def test_show_says_where_the_method_comes_from(cli: Cli) -> None:
    assert " Source: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023 " in " ".join(
        cli("plugins", "show", "lion").out.split()
    )
    (facts,) = json.loads(cli("plugins", "show", "lion", "--json").out)
    assert facts["source"] == "Chen et al., Symbolic Discovery of Optimization Algorithms, 2023"
    (facts,) = json.loads(cli("plugins", "show", "tensorboard", "--json").out)
    assert "source" not in facts


def test_show_as_json(cli: Cli) -> None:
    (facts,) = json.loads(cli("plugins", "show", "gpt", "--json").out)
    option = next(option for option in facts["options"] if option["name"] == "n_layer")
    assert option == {
        "name": "n_layer",
        "flag": "--model.n-layer",
        "type": "int",
        "optional": False,
        "default": 3,
        "choices": None,
        "bounds": {"ge": 1},
        "help": "Number of blocks.",
    }


@pytest.mark.parametrize("name", ["pentad-gpt:gpt", "model:gpt", "pentad-gpt"])
def test_show_by_other_names(name: str, cli: Cli) -> None:
    assert cli("plugins", "show", name).out == cli("plugins", "show", "gpt").out


def test_show_what_has_no_options(cli: Cli) -> None:
    assert cli("plugins", "show", "byte").out.endswith("It has no options.\n")
    assert cli("plugins", "show", "python-docs").out.startswith("python-docs  corpus of ")


def coin(folder: Path, name: str) -> Path:
    path = folder / f"coin_{name}_{folder.name.replace('-', '_')}.py"
    path.write_text(COIN.replace("CLASS_", name.title()).replace("CLASS", name))
    return path


def test_check_passes_a_good_plugin(cli: Cli, tmp_path: Path) -> None:
    path = coin(tmp_path, "good")
    result = cli("plugins", "check", path)
    assert result.code == 0, result.out
    assert "passed   rows sum to one" in result.out
    assert result.out.splitlines()[-1].endswith("all passed")
    listed = cli("plugins", "--plugin", path).out
    assert "Toss a \\x1b[31mcoin." in listed


def test_check_fails_a_bad_one(cli: Cli, tmp_path: Path) -> None:
    path = coin(tmp_path, "bad")
    result = cli("plugins", "check", path)
    assert result.code == 1
    assert "failed   rows sum to one" in result.out
    facts = json.loads(cli("plugins", "check", path, "--json").out)
    assert facts["passed"] is False
    assert {"stage", "name", "check", "outcome", "note"} == set(facts["checks"][0])


def test_check_takes_options(cli: Cli) -> None:
    assert cli("plugins", "check", "pentad-top-k", "--sampler.k", "3").code == 0
    wrong = cli("plugins", "check", "pentad-top-k", "--sampler.k", "0")
    assert (wrong.code, wrong.error) == (2, "option-bounds")


def write(folder: Path, text: str) -> Path:
    """Write a plugin under a name that no other test imports."""
    path = folder / f"plugin_{folder.name.replace('-', '_')}.py"
    path.write_text(text)
    return path


OBSERVER = """
from pentad import Observer, RunObserver, hookimpl


class Quiet(RunObserver):
    def __init__(self, options): pass


@hookimpl
def engine_observers():
    return [Observer(name="quiet", summary="Says nothing.", factory=Quiet)]
"""

COMMAND = """
import click
from pentad import Command, hookimpl


@click.command()
@click.option("--loud", is_flag=True)
def hello(loud):
    '''Say hello.'''
    click.echo("HELLO" if loud else "hello")


@hookimpl
def engine_commands():
    return [Command(name="hello", summary="Say hello.", factory=hello)]
"""

SAMPLERS = """
from pentad import Implementation, Sampler, hookimpl, tempered_softmax


class Good(Sampler):
    def __init__(self, options): pass
    def probabilities(self, logits, tokens): return tempered_softmax(logits)


class Bad(Good):
    def probabilities(self, logits, tokens):
        return tempered_softmax(logits) * 2


@hookimpl
def engine_samplers():
    return [
        Implementation(name="good", summary="", factory=Good),
        Implementation(
            name="bad", summary="", factory=Bad, expected_failures={"rows_sum_to_one": "twice as sure", "smallest_shapes": "no"}
        ),
    ]
"""


@pytest.mark.parametrize(("text", "line"), [(OBSERVER, "quiet  observer of "), (COMMAND, "hello  command of ")])
def test_what_offers_no_stage_is_checked_too(text: str, line: str, cli: Cli, tmp_path: Path) -> None:
    result = cli("plugins", "check", write(tmp_path, text))
    assert result.code == 0, result.out
    assert result.out.startswith(line)


@pytest.mark.parametrize("name", ["digits", "early_stopping", "reward"])
def test_the_examples_keep_their_contracts(name: str, cli: Cli) -> None:
    path = Path(__file__).parents[2] / "examples" / "contracts" / f"{name}.py"
    result = cli("plugins", "check", path)
    assert result.code == 0, result.out


def test_one_offer_is_checked_alone_and_expected_failures_count(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLERS)
    good = cli("plugins", "check", f"{path}:good", "--json")
    assert {check["name"] for check in json.loads(good.out)["checks"]} == {"good"} and good.code == 0
    bad = cli("plugins", "check", f"{path}:bad", "--json")
    outcomes = {check["check"]: check["outcome"] for check in json.loads(bad.out)["checks"]}
    assert outcomes["rows_sum_to_one"] == "expected failure"
    assert outcomes["smallest_shapes"] == "unexpected pass" and bad.code == 1
    assert cli("plugins", "check", f"{path}:ugly").error == "unknown-name"
    assert cli("plugins", "check", "pentad-top-k:top-k", "--sampler.k", "3").code == 0
    assert "every sequence ends" in cli("plugins", "check", "pentad-search:beam", "--sampler.width", "2").out


def test_a_command_of_a_file_stands_behind_it(cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path, COMMAND)
    assert cli("--plugin", path, "hello", "--loud").out == "HELLO\n"
    assert "Say hello." in cli("--plugin", path, "--help").out
    assert "hello" in cli("--plugin", path, "plugins", "list").out
    wrong = cli("hello", "--plugin", path)
    assert wrong.error == "unknown-command" and "engine --plugin FILE hello" in wrong.err
    assert cli("--plugin", "nowhere.py", "hello").error == "file-missing"


RAISES = SAMPLERS.replace("        return tempered_softmax(logits) * 2", "        return logits.mislaid()")
UNFROZEN = SAMPLERS.replace("@hookimpl", "import dataclasses\n@dataclasses.dataclass\nclass Mine: pass\n\n\n@hookimpl").replace(
    'name="good", summary=""', 'name="good", options=Mine, summary=""'
)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (UNFROZEN, "plugin-broken", "options must be frozen"),
        (SAMPLERS.replace("class Good", "clas Good"), "plugin-broken", "SyntaxError"),
        (SAMPLERS.replace("from pentad import", "from pentad import Nothing,"), "plugin-broken", ".py, line 2): ImportError"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_its_place(text: str, code: str, said: str, cli: Cli, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    for command in (("plugins", "check", path), ("plugins", "list", "--plugin", path)):
        result = cli(*command)
        assert result.error == code
        assert said in result.err
        assert f"Correct {path}" in result.err and "pip" not in result.err


def test_a_plugin_that_raises_is_named_with_file_and_line(cli: Cli, tmp_path: Path, trained: Path) -> None:
    path = write(tmp_path, RAISES)
    result = cli("generate", trained, "--plugin", path, "--sampler", "bad", "--max-tokens", "2")
    assert (result.code, result.error) == (1, "plugin-failed")
    words = " ".join(result.err.split())
    assert "sampler good or sampler bad of" in words and f"{path.name}, line 12: AttributeError" in words
    assert f"engine plugins check {path.name}" in words or f"engine plugins check {path}" in words
    assert cli("plugins", "check", f"{path}:bad").code == 1


def test_options_that_stand_behind_a_name_are_shown_so(cli: Cli) -> None:
    assert "engine run --data FILE.parquet,column=text" in cli("plugins", "show", ".parquet").out
    (facts,) = json.loads(cli("plugins", "show", ".parquet", "--json").out)
    assert [option["flag"] for option in facts["options"]] == [".parquet,column="]
    assert cli("plugins", "check", "pentad-parquet", "--parquet.column", "text").code == 0


def test_the_hint_for_a_bare_name_can_be_followed(cli: Cli) -> None:
    assert "pentad-top-k:top-k checks the sampler alone" in cli("plugins", "check", "top-k").err
