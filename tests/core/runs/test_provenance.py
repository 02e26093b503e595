"""Who made a run: every entry of engine.json has its type, and a stranger's words reach no shell."""

from __future__ import annotations

import json

import pytest

from pentad import Catalogue
from pentad.runs.folder import RunDirectory
from pentad.testing import raises_code


@pytest.fixture
def directory(tmp_path):
    return RunDirectory(tmp_path)


def test_facts_have_their_types(directory):
    facts = {"a": {"b": 1, "c": 1.5, "d": True, "e": "x"}, "inf": float("inf")}
    (directory.path / "engine.json").write_text(json.dumps(facts))
    assert directory.fact(int, "a", "b") == 1 and directory.fact(float, "a", "c") == 1.5 and directory.fact(bool, "a", "d")
    assert type(directory.fact(float, "a", "b")) is float
    wrong = [(int, ("a", "d")), (int, ("a", "c")), (str, ("a",)), (str, ("a", "e", "f")), (float, ("inf",)), (str, ("z",))]
    for kind, keys in wrong:
        with raises_code("run-damaged") as caught:
            directory.fact(kind, *keys)
        assert f"{'.'.join(keys)} as {kind.__name__}" in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "is damaged: it has no recipe.toml"),
        ("sampler = 5", "sampler must be a table, found 5"),
        ("[sampler]\nk = 3\n", "names no"),
        ("[[sampler]]\n", "sampler must be a table"),
        ("[sampler\n", "is not valid TOML"),
        ("[data]\nsources = 5\n[training]\nsteps = 'x'\n", "sources expects list, found 5"),
    ],
)
def test_a_damaged_recipe_is_the_runs(text, words, directory):
    if text is not None:
        (directory.path / "recipe.toml").write_text(text)
    with raises_code("run-damaged") as caught:
        directory.recipe()
    assert words in caught.value.message
    assert str(directory.path) in caught.value.message
    assert "--" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("distribution", "version"),
    [("../../x", "0.1.0"), ("x --index-url=http://y", "1"), ("x", "1; rm -r ~"), ("-r", "1"), ("x", "")],
)
def test_no_hint_repeats_what_a_stranger_calls_a_distribution(directory, distribution, version):
    stage = {"distribution": distribution, "version": version, "name": "gpt"}
    (directory.path / "engine.json").write_text(json.dumps({"stages": {"model": stage}}))
    with raises_code("run-damaged") as caught:
        directory.maker("model", Catalogue(entry_points=[]))
    assert caught.value.hint == "Use a copy of the run."


@pytest.mark.parametrize(
    ("distribution", "version", "hint"),
    [
        ("pentad-x", "0.1.0", "pip install pentad-x==0.1.0"),
        ("./my model.py", "unpackaged", "Use --plugin './my model.py'"),
    ],
)
def test_what_made_a_stage_is_named(directory, distribution, version, hint):
    stage = {"distribution": distribution, "version": version, "name": "gpt"}
    (directory.path / "engine.json").write_text(json.dumps({"stages": {"model": stage}}))
    with raises_code("maker-missing") as caught:
        directory.maker("model", Catalogue(entry_points=[]))
    assert caught.value.hint == hint
