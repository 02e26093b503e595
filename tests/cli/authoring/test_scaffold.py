"""`engine plugins new`: for each kind the distribution installs, passes its tests and is listed at once."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pentad.config.stages import STAGES
from pentad.registry.catalogue import Catalogue
from pentad.registry.kinds import KINDS
from pentad_cli.authoring.scaffold import write_distribution
from pentad_cli.main import call

Cli = Callable[..., Any]

LIKE = {
    "tokenizer": "char",
    "builder": "next-token",
    "model": "rnn",
    "optimizer": "sgd",
    "sampler": "top-k",
    "corpus": "shakespeare",
}
"""Kind to what is copied: of each stage one of the smallest, with options in either place; and what has a file beside it."""

COPIES = [f"like-{name}" for name in LIKE.values()]


@dataclass
class Scaffolds:
    """A distribution of each kind as written, and the environment in which they are installed."""

    folder: Path
    environment: dict[str, str]
    warm_engine: list[str]

    def engine(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(*self.warm_engine, *arguments)

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(sys.executable, *arguments)

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def scaffolds(tmp_path_factory: pytest.TempPathFactory, cache: Path, warm_engine: list[str], build_wheels: Any) -> Scaffolds:
    folder = tmp_path_factory.mktemp("scaffolds")
    for kind in KINDS:
        flag = "--stage" if kind in STAGES else "--kind"
        with contextlib.chdir(folder):
            assert call(["plugins", "new", f"my-{kind}", flag, kind]) == 0
    catalogue = Catalogue()
    for kind, name in LIKE.items():
        write_distribution(f"like-{name}", kind, folder / f"like-{name}", catalogue, catalogue.find(kind, name))
    site, wheels = folder / "site", folder / "wheels"
    wheels.mkdir()
    build_wheels(wheels, [folder / name for name in (*(f"my-{kind}" for kind in KINDS), *COPIES)])
    for wheel in wheels.iterdir():  # as pip installs them, without its second for each; the tutorial's test has pip do it
        zipfile.ZipFile(wheel).extractall(site)
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "OMP_NUM_THREADS": "1",
        "PENTAD_CACHE": str(cache),
        "COLUMNS": "100",
    }
    return Scaffolds(folder, environment, warm_engine)


def test_all_pass_their_own_tests(scaffolds: Scaffolds) -> None:
    # One process for all of them: importing torch is most of the time.
    done = scaffolds.python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"),
        *(f"my-{kind}" for kind in KINDS),
        *COPIES,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def test_all_are_listed_without_a_problem(scaffolds: Scaffolds) -> None:
    done = scaffolds.engine("plugins", "--json")
    listing = json.loads(done.stdout)
    offers = {(offer["kind"], offer["name"], offer["distribution"]) for offer in listing["offers"]}
    names = {kind: ".myreader" if kind == "reader" else f"my-{kind}" for kind in KINDS}
    assert {(kind, name, f"my-{kind}") for kind, name in names.items()} <= offers
    assert {(kind, f"like-{name}", f"like-{name}") for kind, name in LIKE.items()} <= offers
    assert not [problem for problem in listing["problems"] if problem["distribution"].startswith(("my-", "like-"))]


def test_the_stages_make_a_run(scaffolds: Scaffolds) -> None:
    (scaffolds.folder / "text.txt").write_text("".join(f"Line {n}: ä text of {n * n} words.\n" for n in range(300)))
    chosen = [word for stage in STAGES for word in (f"--{stage}", f"my-{stage}")]
    done = scaffolds.engine(
        *("run", *chosen, "--data", "text.txt", "--steps", "2", "--batch-size", "4", "--out", "run"),
        *("--context-length", "16", "--max-tokens", "8", "--json"),
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["step"] == 2
    assert result["evaluation"]["bits_per_byte"] > 0


def test_what_stands_beside_the_stages_is_used(scaffolds: Scaffolds) -> None:
    (scaffolds.folder / "more.myreader").write_text("id,line\n" + "".join(f"{n},Row {n} is a row.\n" for n in range(90)))
    tiny = ("--tokenizer", "byte", "--model", "gpt", "--model.n-layer", "1", "--model.n-embd", "16", "--model.n-head", "2")
    size = ("--batch-size", "4", "--context-length", "16", "--max-tokens", "8", "--steps", "3", "--precision", "fp32", "--json")
    done = scaffolds.engine(
        *("run", *tiny, *size, "--out", "beside", "--observe", "my-observer", "--my-observer.every", "3"),
        *("--data", "my-corpus:my-corpus,documents=90", "--data", "more.myreader,column=line", "--compile", "off"),
    )
    assert done.returncode == 0, done.stderr
    assert (scaffolds.folder / "beside" / "losses.csv").read_text().startswith("step,loss\n3,")
    judged = scaffolds.engine("evaluate", "beside", "--with", "my-evaluator,best=200", "--json")
    assert judged.returncode == 0, judged.stderr
    assert 0.5 < json.loads(judged.stdout)["accuracy"] <= 1
    told = scaffolds.engine("my-command", "beside", "--json")
    assert json.loads(told.stdout)["seconds"] > 0


def test_what_is_written_is_clean(scaffolds: Scaffolds) -> None:
    folders = [f"my-{kind}" for kind in KINDS]
    rules = ("--isolated", "--line-length", "128", "--config", f"src = {json.dumps(folders)}")
    selected = ("--select", "E,F,W,I,UP,B,C4,SIM,D1,ANN", "--ignore", "ANN401,D107,D103", "--target-version", "py311")
    for command in (("check", *rules, *selected), ("format", "--check", *rules)):
        done = scaffolds.python("-m", "ruff", *command, *folders)
        assert done.returncode == 0, done.stdout + done.stderr


def test_plugin_modules_import_nothing_heavy(scaffolds: Scaffolds) -> None:
    modules = ", ".join(f"my_{kind}.plugin" for kind in KINDS)
    code = f"import sys, {modules}; print([name for name in ('torch', 'numpy', 'click') if name in sys.modules])"
    assert scaffolds.python("-c", code).stdout == "[]\n"


def test_a_copy_has_what_it_needs_and_no_more(cli: Cli, tmp_path: Path) -> None:
    done = cli("plugins", "new", "my-char", "--like", "pentad-tokenizers:char", "--json")
    assert json.loads(done.out)["stage"] == "tokenizer"
    files = {path.name: path.read_text() for path in (tmp_path / "my-char" / "my_char").iterdir()}
    assert sorted(files) == ["__init__.py", "char.py", "plugin.py", "py.typed", "saving.py"]
    assert not [name for name, text in files.items() if "pentad_tokenizers" in text or "WordPiece" in text]
    project = tomllib.loads((tmp_path / "my-char" / "pyproject.toml").read_text())["project"]
    needed = importlib.metadata.requires("pentad-tokenizers") or []
    assert project["dependencies"] == [line for line in needed if "extra" not in line]
    assert "copy of char of pentad-tokenizers" in (tmp_path / "my-char" / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--like", "greedyy"), "unknown-name"),
        (("--like", "greedy", "--kind", "model"), "unknown-name"),
        (("--like", "prefix"), "ambiguous-name"),  # a builder and a reward
        (("--like", "compare"), "like-unfit"),
    ],
)
def test_what_cannot_be_copied_is_refused(arguments: tuple[str, ...], code: str, cli: Cli, tmp_path: Path) -> None:
    done = cli("plugins", "new", "my-thing", *arguments)
    assert (done.code, done.error) == (2, code), done.err
    assert not list(tmp_path.iterdir())


def test_the_next_steps_are_said(cli: Cli, tmp_path: Path) -> None:
    done = cli("plugins", "new", "my-sampler", "--stage", "sampler")
    assert done.code == 0
    assert "Wrote my-sampler: a sampler that works" in done.out
    assert "pip install --editable my-sampler" in done.out
    assert "engine plugins check my-sampler" in done.out
    project = tomllib.loads((tmp_path / "my-sampler" / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pentad"] == {"my-sampler": "my_sampler.plugin"}


def test_another_folder_and_json(cli: Cli, tmp_path: Path) -> None:
    done = cli("plugins", "new", "lion2", "--stage", "optimizer", "--out", "deep/er", "--json")
    said = json.loads(done.out)
    assert (said["name"], said["stage"], said["folder"]) == ("lion2", "optimizer", "deep/er")
    assert all((tmp_path / file).is_file() for file in said["files"])
    assert "class Lion2(torch.optim.Optimizer)" in (tmp_path / "deep/er/lion2/optimizer.py").read_text()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("My_Sampler", "name-format"),
        ("-x", "unknown-option"),
        ("3d", "name-format"),
        ("../escape", "name-format"),
        ("a--b", "name-format"),
        ("lambda", "name-taken"),
        ("sampler", "name-taken"),
        ("greedy", "name-taken"),
        ("json", "name-taken"),
        ("torch", "name-taken"),
        ("pentad-core", "name-taken"),
    ],
)
def test_bad_names_are_refused(name: str, code: str, cli: Cli, tmp_path: Path) -> None:
    done = cli("plugins", "new", name, "--stage", "sampler")
    assert (done.code, done.error) == (2, code), done.err
    assert [line.partition(":")[0] for line in done.err.splitlines()] == ["Error", "Hint"]
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "my-sampler").mkdir()
    (tmp_path / "my-sampler" / "thesis.txt").write_text("years of work")
    done = cli("plugins", "new", "my-sampler", "--stage", "sampler")
    assert (done.code, done.error) == (2, "folder-taken")
    assert [path.name for path in (tmp_path / "my-sampler").iterdir()] == ["thesis.txt"]


def test_an_unknown_stage_is_refused(cli: Cli) -> None:
    done = cli("plugins", "new", "my-sampler", "--stage", "simpler")
    assert (done.code, done.error) == (2, "option-choice")
    assert len(done.err.splitlines()) == 2
    assert "sampler" in done.err


def test_the_kind_is_asked_for(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    silent = cli("plugins", "new", "my-thing")
    assert (silent.code, silent.error) == (2, "kind-missing")
    assert "--stage tokenizer|" in silent.err and "|observer|" in silent.err
    monkeypatch.setattr("pentad_cli.commands.plugins._is_terminal", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: "observer")
    assert cli("plugins", "new", "my-thing").code == 0
    assert (tmp_path / "my-thing" / "my_thing" / "observer.py").is_file()


def test_stage_and_kind_must_agree(cli: Cli) -> None:
    done = cli("plugins", "new", "my-thing", "--stage", "sampler", "--kind", "observer")
    assert (done.code, done.error) == (2, "options-conflict")
