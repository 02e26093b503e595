"""Installing what somebody else wrote, from wheels, and removing it again; and removing what ships with the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = [f"pentad-{name}" for name in ("cli", "byte", "next-token", "adamw", "greedy", "rnn")]
RUN = [
    *("--tokenizer", "byte", "--builder", "next-token", "--optimizer", "adamw", "--sampler", "greedy"),
    *("--data", "text.txt", "--steps", "2", "--batch-size", "4", "--context-length", "16", "--max-tokens", "4"),
]
SMALL = ["--model", "minlstm", "--model.n-layer", "1", "--model.n-embd", "16"]


def names(installation: Any) -> set[str]:
    listed = json.loads(installation.engine("plugins", "--json").stdout)
    assert listed["problems"] == []
    return {offer["name"] for offer in listed["offers"]}


def test_a_third_partys_model_comes_and_goes(installation: Any) -> None:
    (installation.folder / "text.txt").write_text("".join(f"Line {n} of {n * n}.\n" for n in range(400)))
    installation.pip("install", *NEEDED, "pentad-minlstm")
    assert names(installation) == {"byte", "next-token", "multi-token", "adamw", "greedy", "rnn", "ngram", "minlstm"}
    installed = installation.site / "pentad_minlstm" / "model.py"
    assert installed.is_file()

    done = installation.engine("run", *RUN, *SMALL, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert installation.engine("generate", "run", "--max-tokens", "4").returncode == 0
    tests = ROOT / "examples" / "pentad-minlstm" / "tests"
    done = installation.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", tests)
    assert done.returncode == 0, done.stdout

    installation.pip("uninstall", "pentad-minlstm")
    assert names(installation) == {"byte", "next-token", "multi-token", "adamw", "greedy", "rnn", "ngram"}
    refused = installation.engine("generate", "run")
    assert refused.returncode == 1
    error, hint = refused.stderr.splitlines()
    assert error == "Error: The model minlstm of run was made by pentad-minlstm 0.1.0; it is not installed."
    assert hint == "Hint: bin/python -m pip install pentad-minlstm==0.1.0"  # as it runs where the environment is not activated

    # What ships with the engine goes the same way.
    installation.pip("uninstall", "pentad-rnn")
    assert names(installation) == {"byte", "next-token", "multi-token", "adamw", "greedy", "ngram"}
    refused = installation.engine("run", *RUN, "--model", "rnn")
    assert refused.returncode == 2
    assert "No model named 'rnn' is installed." in refused.stderr
    installation.pip("install", "pentad-minlstm")
    assert installation.engine("run", *RUN, *SMALL, "--out", "again").returncode == 0


def test_the_example_is_no_part_of_the_workspace() -> None:
    root = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "minlstm" not in root
    assert not list(ROOT.glob("plugins/*minlstm*"))


@pytest.mark.parametrize("path", ["plugin.py", "options.py"])
def test_the_light_modules_are_light(path: str) -> None:
    text = (ROOT / "examples" / "pentad-minlstm" / "pentad_minlstm" / path).read_text(encoding="utf-8")
    assert "torch" not in text.partition('"""')[2].partition('"""')[2]
