"""Runs of other versions: upgraded where the plugin says how, opened with a warning or refused with the version to install."""

from __future__ import annotations

import json
import shutil
import types
from dataclasses import dataclass

import pytest
import torch

from pentad import Catalogue, Choice, Implementation, hookimpl, open_run, option, resume, run
from pentad.testing import raises_code


@dataclass(frozen=True, kw_only=True)
class Old:
    width: int = option(4, "Width.", ge=1)


@dataclass(frozen=True, kw_only=True)
class New:
    n_embd: int = option(8, "Width.", ge=1)


def catalogue(version: str, options: type, factory: object, upgrade: object = "") -> Catalogue:
    @hookimpl
    def engine_models():
        record = Implementation(name="tiny", summary="", factory=factory, options=options, upgrade=upgrade)
        return [record]

    made = Catalogue()
    made._load("acme", version, lambda: types.SimpleNamespace(engine_models=engine_models))
    return made


@pytest.fixture(autouse=True)
def _cache(cache):
    """Keep what the runs make of their text in the cache of the session."""


@pytest.fixture
def old_factory(fakes):
    return lambda options, vocab_size, context_length: fakes.Tiny(vocab_size, options.width)


@pytest.fixture
def new_factory(fakes):
    return lambda options, vocab_size, context_length: fakes.Tiny(vocab_size, options.n_embd)


@pytest.fixture
def made_by_one(tmp_path, tiny_recipe, old_factory):
    """A run that version 1 of a plugin made."""
    (tmp_path / "text.txt").write_text("a cat sat. " * 200)
    recipe = tiny_recipe(tmp_path / "text.txt", steps=1, model=Choice("tiny", width=6))
    run(recipe, out=tmp_path / "run", catalogue=catalogue("1", Old, old_factory))
    return tmp_path / "run"


def rename(options: dict, version: str) -> dict:
    assert (options, version) == ({"width": 6}, "1")
    return {"n_embd": options["width"]}


def test_the_same_version_says_nothing(made_by_one, old_factory, recwarn):
    open_run(made_by_one, catalogue=catalogue("1", Old, old_factory))
    assert not [warning for warning in recwarn if "was made by" in str(warning.message)]


def test_options_are_upgraded_each_time_the_run_is_opened(made_by_one, new_factory, recwarn):
    new = catalogue("2", New, new_factory, rename)
    opened = open_run(made_by_one, catalogue=new)
    assert opened.recipe.choice("model").options == {"n_embd": 6}
    assert resume(made_by_one, catalogue=new, steps=2).step == 2
    # The run keeps what made it, so that its options are never upgraded twice.
    assert "width = 6" in (made_by_one / "recipe.toml").read_text()
    assert resume(made_by_one, catalogue=new, steps=3).step == 3
    assert open_run(made_by_one, catalogue=new).step == 3
    assert not [warning for warning in recwarn if "was made by" in str(warning.message)]


def test_an_upgrade_may_be_named_by_its_place(made_by_one, new_factory):
    new = catalogue("2", New, new_factory, "pentad.config.options:no_such_function")
    with raises_code("implementation-broken"):
        open_run(made_by_one, catalogue=new)


def test_another_version_that_still_fits_is_used_with_a_warning(made_by_one, old_factory):
    with pytest.warns(UserWarning, match="The model tiny was made by acme 1; 2 is installed, which may work otherwise"):
        assert open_run(made_by_one, catalogue=catalogue("2", Old, old_factory)).step == 1


def test_another_version_with_other_options_is_refused(made_by_one, new_factory):
    with raises_code("recipe-mismatch") as failure:
        open_run(made_by_one, catalogue=catalogue("2", New, new_factory))
    assert failure.value.hint == "pip install acme==1"


@pytest.mark.parametrize("door", [open_run, lambda path, catalogue: resume(path, catalogue=catalogue, steps=2)])
def test_another_version_with_another_state_is_refused(made_by_one, fakes, door):
    def wider(options, vocab_size, context_length):
        return fakes.Tiny(vocab_size, options.width + 1)

    with pytest.warns(UserWarning), raises_code("checkpoint-mismatch") as failure:
        door(made_by_one, catalogue=catalogue("2", Old, wider))
    assert "does not fit the model of its recipe" in failure.value.message
    assert "The model tiny was made by acme 1; 2 is installed." in failure.value.message
    assert failure.value.hint == "pip install acme==1"


def test_renamed_parameters_are_found_by_the_model(made_by_one, fakes):
    class Renamed(fakes.Tiny):
        def __init__(self, *args):
            super().__init__(*args)
            self.words = self.embedding
            del self.embedding

        def forward(self, inputs, state=None, segments=None):
            return self.words(inputs), state

        def upgrade_state(self, tensors):
            return {name.replace("embedding.", "words."): tensor for name, tensor in tensors.items()}

    def make(options, vocab_size, context_length):
        return Renamed(vocab_size, options.width)

    new = catalogue("2", Old, make, lambda options, version: options)
    before = open_run(
        made_by_one, catalogue=catalogue("1", Old, lambda o, vocab_size, context_length: fakes.Tiny(vocab_size, o.width))
    )
    after = open_run(made_by_one, catalogue=new)
    assert torch.equal(after.model.words.weight, before.model.embedding.weight)


@pytest.mark.parametrize(
    ("upgrade", "found"),
    [
        (lambda options, version: 1 / 0, "ZeroDivisionError"),
        (lambda options, version: None, "found None"),
    ],
)
def test_an_upgrade_that_fails_is_named(made_by_one, new_factory, upgrade, found):
    with raises_code("upgrade-failed") as failure:
        open_run(made_by_one, catalogue=catalogue("2", New, new_factory, upgrade))
    assert failure.value.message.startswith("The model tiny was made by acme 1; 2 is installed")
    assert found in failure.value.message
    assert failure.value.hint == "pip install acme==1"


def test_a_broken_plugin_is_named_with_its_cause(made_by_one):
    broken = Catalogue()
    broken._load("acme", "2", lambda: 1 / 0)
    with raises_code("maker-missing") as failure:
        open_run(made_by_one, catalogue=broken)
    assert failure.value.hint == "pip install acme==1"


def test_a_file_never_names_code(made_by_one, tmp_path):
    facts = json.loads((made_by_one / "engine.json").read_text())
    assert set(facts["stages"]["model"]) == {"distribution", "version", "name"}
    shutil.rmtree(tmp_path / "run")
