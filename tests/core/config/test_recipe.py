"""Recipes: the same choices as flags, as TOML and in Python; a resolved one spells out everything."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pentad import STAGES, Choice, Implementation, Recipe, option
from pentad.config.options import describe
from pentad.config.recipe import read_tables
from pentad.config.tables import TABLES, DataOptions, GenerationOptions, MachineOptions, TrainingOptions
from pentad.registry.catalogue import Catalogue
from pentad.registry.kinds import KINDS
from pentad.registry.offers import Offer
from pentad.registry.resolving import resolve
from pentad.testing import raises_code

NAMES = {"tokenizer": "byte", "builder": "next-token", "model": "gpt", "optimizer": "adamw", "sampler": "greedy"}


@dataclass(frozen=True, kw_only=True)
class Shape:
    n_layer: int = option(4, "Number of blocks.", ge=1)
    heads: int | None = option(None, "Heads.", ge=1)
    note: str = option("", "A note.")


def catalogue() -> Catalogue:
    found = Catalogue(entry_points=[])
    for stage in STAGES:
        record = Implementation(name=NAMES[stage], summary="", factory="x:y", options=Shape)
        found._offers[stage].append(Offer(kind=stage, name=NAMES[stage], record=record, distribution="acme", version="1"))
    assert set(NAMES) < set(KINDS)
    return found


def recipe(**changes):
    return Recipe(**{**NAMES, "data": "a.txt", **changes})


words = st.text(st.characters(exclude_categories=["Cs"]))
choices = st.builds(
    lambda n_layer, heads, note: Choice("gpt", n_layer=n_layer, heads=heads, note=note),
    st.integers(1, 2**60),
    st.none() | st.integers(1, 9),
    words.filter(lambda text: text.lower() != "none"),
)
recipes = st.builds(
    recipe,
    model=choices,
    data=words | st.lists(words),
    training=st.fixed_dictionaries(
        {"seed": st.integers(0, 2**63 - 1), "grad_clip": st.floats(0, 1e30)},
        optional={"steps": st.none() | st.integers(1, 10**9), "gradient_accumulation": st.integers(1, 9)},
    ),
    machine=st.fixed_dictionaries({"device": st.sampled_from(["cpu", "cuda"]), "threads": st.none() | st.integers(1, 1024)}),
    generation=st.fixed_dictionaries({"prompt": words}),
)


@given(recipes)
@settings(deadline=None)
def test_a_recipe_survives_toml_and_resolving(found):
    assert Recipe.from_dict(tomllib.loads(resolved := resolve(found, catalogue()).recipe.to_toml())).to_toml() == resolved
    again = Recipe.from_dict(tomllib.loads(found.to_toml()))
    assert all(getattr(again, table) == getattr(found, table) for table in TABLES)
    assert resolve(again, catalogue()).recipe == resolve(found, catalogue()).recipe


def test_a_resolved_recipe_spells_out_every_option():
    tables = tomllib.loads(resolve(recipe(), catalogue()).recipe.to_toml())
    assert tables["model"] == {"name": "gpt", "n_layer": 4, "heads": "none", "note": ""}
    assert {"steps", "budget", "seed", "batch_size"} < set(tables["training"])
    assert set(tables) == {*STAGES, *TABLES} - {"start"}
    started = resolve(recipe().replace(start="runs/base"), catalogue()).recipe
    assert tomllib.loads(started.to_toml())["start"] == {"run": "runs/base"}


def refused(tables, code):
    with raises_code(code) as caught:
        resolve(Recipe.from_dict(tables), catalogue())
    return caught.value


def tables(**changes):
    return {**{stage: {"name": name} for stage, name in NAMES.items()}, "data": {"sources": ["a"]}, **changes}


@pytest.mark.parametrize(
    ("changes", "code", "hint"),
    [
        ({"modle": {"name": "gpt"}}, "unknown-table", "Did you mean model?"),
        ({"model": {"name": "gpt", "n_layr": 1}}, "unknown-option", "Did you mean n_layer?"),
        ({"training": {"stepz": 1}}, "unknown-option", "Did you mean steps?"),
        ({"training": {"device": "cpu"}}, "unknown-option", "It belongs to [machine]."),
        ({"training": {"log-every": 1}}, "unknown-option", "It belongs to [reporting]."),
        ({"model": {}}, "stage-missing", "--model NAME"),
        ({"model": {"name": 3}}, "stage-missing", "--model NAME"),
        ({"model": "gpt"}, "table-type", 'name = "…"'),
        ({"model": {"name": "gtp"}}, "unknown-name", "Did you mean gpt?"),
        ({"training": {"budget": "soon"}}, "budget-format", "--steps"),
        ({"training": {"budget": "none"}}, "steps-missing", "--budget 90s"),
        ({"training": {"steps": 0}}, "option-bounds", "steps"),
        ({"training": {"batch_size": 10**22}}, "option-bounds", "Examples"),
        ({"generation": {"samples": 10**9}}, "option-bounds", "texts"),
        ({"generation": {"max_tokens": 10**22}}, "option-bounds", "tokens"),
    ],
)
def test_wrong_tables_are_refused(changes, code, hint):
    assert hint in refused(tables(**changes), code).hint


def test_steps_beat_the_budget():
    assert recipe(training={"steps": 5}).budget().unit == "steps"
    assert recipe(training={"budget": "9s"}).budget().amount == 9


def test_data_has_many_spellings():
    for data in ("a.txt", Path("a.txt"), ["a.txt"], {"sources": ["a.txt"]}, {"sources": "a.txt"}):
        assert recipe(data=data).data.sources == ("a.txt",)


def test_every_field_has_one_form_whatever_was_given():
    found = recipe(training={"steps": 3}, machine=MachineOptions(threads=2))
    assert found.model == Choice("gpt") == found.choice("model")
    assert found.data == DataOptions(sources=("a.txt",))
    assert found.training == TrainingOptions(steps=3)
    assert found.machine == MachineOptions(threads=2)
    assert found.generation == GenerationOptions()


def test_a_recipe_is_changed_by_making_another_one():
    before = recipe()
    after = before.replace(model="rnn", generation={"samples": 2})
    assert (after.model, after.generation.samples, after.optimizer) == (Choice("rnn"), 2, before.optimizer)
    assert (before.model, before.generation.samples) == (Choice("gpt"), 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.model = Choice("rnn")


def test_a_table_of_another_kind_is_refused():
    with raises_code("table-type"):
        recipe(machine=TrainingOptions())


def test_what_a_run_writes_and_samples_does_not_affect_its_result():
    silent = {table for table, kind in TABLES.items() if not any(spec.affects_result for spec in describe(kind))}
    mixed = {table for table, kind in TABLES.items() if len({spec.affects_result for spec in describe(kind)}) > 1}
    assert (silent, mixed) == ({"generation", "reporting"}, {"machine"})
    assert [spec.name for spec in describe(MachineOptions) if not spec.affects_result] == ["recompute"]  # bit for bit the same


def test_dashes_and_underscores_are_the_same_key():
    found = Recipe.from_dict(tables(model={"name": "gpt", "n-layer": 2}))
    assert resolve(found, catalogue()).options["model"].n_layer == 2


@pytest.mark.parametrize("text", ["model = ", "a = " + "[" * 5000, "\x00"])
def test_a_file_that_is_no_toml(tmp_path, text):
    (tmp_path / "r.toml").write_text(text)
    with raises_code("recipe-syntax"):
        read_tables(tmp_path / "r.toml")


def test_a_file_that_is_not_there(tmp_path):
    with raises_code("file-missing"):
        read_tables(tmp_path / "r.toml")
    with raises_code("file-unreadable"):
        read_tables(tmp_path)
    (tmp_path / "r.toml").write_bytes(b"\xff")
    with raises_code("recipe-syntax"):
        read_tables(tmp_path / "r.toml")


def test_a_number_of_thousands_of_digits_is_no_toml(tmp_path):
    (tmp_path / "long.toml").write_text(f"[training]\nsteps = {'9' * 5000}\n")
    with raises_code("recipe-syntax"):
        read_tables(tmp_path / "long.toml")
