"""Samplers in a row are one offer: found by its name, with the options of all, made by the one door."""

from __future__ import annotations

import tomllib

import pytest
import torch

from pentad import Catalogue, Choice, Recipe
from pentad.config.options import describe, parse
from pentad.registry.resolving import resolve
from pentad.testing import raises_code

LOGITS = torch.tensor([[3.0, 2.0, 1.0, 0.0]])
STAGES = {"tokenizer": "byte", "builder": "next-token", "model": "gpt", "optimizer": "adamw"}


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


def drawn(offer, **options):
    sampler = offer.make(parse(offer.options, options, "sampler"))
    return sampler.probabilities(LOGITS, torch.zeros(1, 1, dtype=torch.int64))


def test_it_has_the_options_of_its_parts(catalogue):
    offer = catalogue.find("sampler", "top-k+temperature")
    flags = [spec.flag for spec in describe(offer.options)]
    assert flags == ["top-k.k", "top-k.temperature", "temperature.temperature"]
    assert (offer.distribution, offer.name) == ("pentad-top-k + pentad-temperature", "top-k+temperature")


@pytest.mark.parametrize("key", ["top-k.k", "top_k.k", "top_k__k", "k"])
def test_each_part_does_its_own(key, catalogue):
    found = drawn(catalogue.find("sampler", "top-k+temperature"), **{key: 2, "temperature.temperature": 0.5})
    expected = torch.softmax(LOGITS[:, :2] / 0.5, dim=-1)
    torch.testing.assert_close(found[:, :2], expected)
    assert found[0, 2:].tolist() == [0.0, 0.0]


def test_bounds_are_those_of_the_part(catalogue):
    offer = catalogue.find("sampler", "top-p+top-k")
    with raises_code("option-bounds") as caught:
        parse(offer.options, {"top-k.k": 0}, "sampler")
    assert "--sampler.top-k.k" in caught.value.message


def test_an_option_of_several_parts_must_name_its_part(catalogue):
    with raises_code("chain-option"):
        drawn(catalogue.find("sampler", "top-p+top-k"), temperature=2.0)


def test_a_part_that_is_not_installed_is_named(catalogue):
    with raises_code("unknown-name") as caught:
        catalogue.find("sampler", "top-k+nobody")
    assert "'nobody'" in caught.value.message


def test_a_recipe_keeps_it(catalogue):
    recipe = Recipe(**STAGES, sampler=Choice("top-k+min-p", **{"top-k.k": 7}), data="python-docs")
    text = resolve(recipe, catalogue).recipe.to_toml()
    assert tomllib.loads(text)["sampler"]["top_k"]["k"] == 7
    again = Recipe.from_dict(tomllib.loads(text))
    assert resolve(again, catalogue).recipe == resolve(recipe, catalogue).recipe
