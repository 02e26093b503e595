"""One source of defaults: what a recipe in Python leaves open is as for `engine run`."""

from __future__ import annotations

import pytest

from pentad import Choice, Recipe
from pentad.config import defaults
from pentad.testing import raises_code


class Front:
    def default_tables(self):
        stages = {stage: {"name": "a"} for stage in ("tokenizer", "builder", "optimizer", "sampler")}
        return {**stages, "model": {"name": "a", "width": 3}, "data": {"sources": ["x"]}, "training": {"batch_size": 5}}

    def display(self):
        return None


@pytest.fixture
def front(monkeypatch):
    monkeypatch.setattr(defaults, "front_end", lambda: Front())


def test_what_is_left_out_comes_from_the_front_end(front):
    recipe = Recipe(sampler="b", training={"steps": 7})
    assert (recipe.model, recipe.sampler) == (Choice("a", width=3), Choice("b"))
    assert (recipe.data.sources, recipe.training.batch_size, recipe.training.steps) == (("x",), 5, 7)


def test_a_mapping_beats_the_defaults_option_by_option(front):
    recipe = Recipe(data={"held-out": 0.5}, training={"batch-size": 2}, model=Choice("a", width=4))
    assert (recipe.data.sources, recipe.data.held_out) == (("x",), 0.5)
    assert (recipe.training.batch_size, recipe.model.options) == (2, {"width": 4})


def test_a_file_means_the_same_whatever_the_defaults_are(front):
    stages = {stage: {"name": "b"} for stage in ("tokenizer", "builder", "model", "optimizer", "sampler")}
    recipe = Recipe.from_dict({**stages, "data": {"held_out": 0.5}})
    assert (recipe.data.sources, recipe.training.batch_size, recipe.model.options) == ((), 8, {})
    with raises_code("stage-missing"):
        Recipe.from_dict({})


def test_a_run_to_start_from_brings_its_tokenizer_model_and_context(front, tmp_path):
    made = Recipe(tokenizer="t", model=Choice("m", width=9), training={"context_length": 33})
    (tmp_path / "recipe.toml").write_text(made.to_toml(), encoding="utf-8")
    recipe = Recipe(start=tmp_path)
    assert (recipe.tokenizer, recipe.model, recipe.builder) == (Choice("t"), Choice("m"), Choice("a"))
    assert (recipe.training.context_length, recipe.training.batch_size) == (33, 5)
    assert Recipe(start=tmp_path / "gone").tokenizer == Choice("a")  # `run` says what is wrong with the folder


def test_without_a_front_end_the_missing_stages_are_named(monkeypatch):
    monkeypatch.setattr(defaults, "front_end", lambda: None)
    with raises_code("stage-missing") as caught:
        Recipe(model="m", data="x")
    assert "tokenizer, builder, optimizer, sampler" in caught.value.message
