from __future__ import annotations

import pytest

from pentad.config.recipe import Recipe
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import resolve
from pentad_cli.arguments.layers import default_tables, lay_over


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


def test_the_defaults_are_a_recipe(catalogue: Catalogue) -> None:
    resolved = resolve(Recipe.from_dict(default_tables()), catalogue)
    names = [resolved.recipe.choice(stage).name for stage in ("tokenizer", "builder", "model", "optimizer", "sampler")]
    assert names == ["bpe", "next-token", "gpt", "muon", "top-k"]
    assert resolved.recipe.data.sources == ("shakespeare",)


def test_the_upper_layer_wins_option_by_option(catalogue: Catalogue) -> None:
    lower = {"model": {"name": "gpt", "n_layer": 2, "n_head": 2}, "training": {"seed": 1}}
    upper = {"model": {"n-layer": 3}, "training": {"batch_size": 8}}
    assert lay_over(lower, upper, catalogue) == {
        "model": {"name": "gpt", "n_layer": 3, "n_head": 2},
        "training": {"seed": 1, "batch_size": 8},
    }
    assert lower["model"]["n_layer"] == 2


def test_another_implementation_starts_afresh(catalogue: Catalogue) -> None:
    lower = {"model": {"name": "gpt", "n_layer": 2}}
    assert lay_over(lower, {"model": {"name": "rnn"}}, catalogue) == {"model": {"name": "rnn"}}


def test_the_full_name_is_the_same_implementation(catalogue: Catalogue) -> None:
    merged = lay_over({"model": {"name": "gpt", "n_layer": 2}}, {"model": {"name": "pentad-gpt:gpt"}}, catalogue)
    assert merged == {"model": {"name": "pentad-gpt:gpt", "n_layer": 2}}


def test_one_source_may_have_a_comma_in_its_name(catalogue: Catalogue) -> None:
    upper = {"data": {"sources": "a,b.txt", "held-out-sources": "c,d.txt"}}
    data = Recipe.from_dict(lay_over(default_tables(), upper, catalogue)).data
    assert (data.sources, data.held_out_sources) == (("a,b.txt",), ("c,d.txt",))


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        ({"budget": "90s"}, {"steps": 5}, {"budget": "none", "steps": 5}),
        ({"steps": 5}, {"budget": "90s"}, {"budget": "90s", "steps": "none"}),
        ({"steps": 5}, {"seed": 1}, {"steps": 5, "seed": 1}),
        ({}, {"steps": 5, "budget": "150s"}, {"steps": 5, "budget": "150s"}),
        ({"steps": 5}, {"steps": "none", "budget": "90s"}, {"steps": "none", "budget": "90s"}),
        ({"budget": "90s"}, {"steps": None}, {"budget": "90s", "steps": None}),
        ({"budget": "90s"}, {"steps": "None"}, {"budget": "90s", "steps": "None"}),
        ({"steps": 5}, {"budget": "NONE"}, {"budget": "NONE", "steps": 5}),
    ],
)
def test_the_last_word_on_the_end_counts(
    lower: dict[str, object], upper: dict[str, object], expected: dict[str, object], catalogue: Catalogue
) -> None:
    assert lay_over({"training": lower}, {"training": upper}, catalogue)["training"] == expected
