"""The commands of docs/comparisons.py are commands, with the arms that the tables have."""

from __future__ import annotations

import importlib.util
import re
import shlex

import pytest

from pentad_compare.arms import product
from pentad_compare.command import compare

ARMS = {
    "tokenizers": ["bpe", "byte", "char", "sentencepiece", "wordpiece"],
    "models": ["gpt", "rnn", "mingru", "linear-attention", "ngram", "gpt, preset gpt2", "gpt, n_expert 4", "rnn, cell gru"],
    "optimizers": ["adamw", "sgd", "lion", "muon", "soap", "schedule-free"],
    "samplers": ["gpt"],
}


@pytest.fixture(scope="module")
def script(root):
    spec = importlib.util.spec_from_file_location("comparisons", root / "docs" / "comparisons.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ARMS)
def test_each_has_its_arms(name, script):
    words = shlex.split(script.COMMANDS[name].replace("JOBS", "2"))
    with compare.make_context("compare", words[2:]) as context:
        request = context.obj
        arms = product(request.tables, request.names, (), request.catalogue)
    assert [arm.label for arm in arms] == ARMS[name]
    assert len(arms[0].samplers) == (9 if name == "samplers" else 1)
    runs, _ = script.RUNS[name]
    assert runs == (1 if name == "samplers" else 3 * len(arms))


def test_there_is_one_for_each_table(script):
    assert script.COMMANDS.keys() == script.RUNS.keys() == ARMS.keys()


@pytest.mark.parametrize("name", ARMS)
def test_the_page_prints_them(name, script, root):
    page = (root / "docs" / "compare.md").read_text(encoding="utf-8")
    pattern = re.escape(f"$ {script.COMMANDS[name]}\n").replace("JOBS", r"\d+")
    assert re.search(pattern, page), f"docs/compare.md does not show the command of {name}"
