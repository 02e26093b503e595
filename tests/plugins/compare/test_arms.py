"""Comma lists become arms."""

from __future__ import annotations

import pytest

from pentad import Catalogue, Choice
from pentad.testing import raises_code
from pentad_cli.arguments.layers import default_tables
from pentad_compare.arms import Axis, distinct, product
from pentad_compare.request import listed


def axis(key, *values):
    table, _, name = key.partition(".")
    return Axis(table=table, name=name, values=values)


def arms(*axes, **names):
    tables = default_tables()
    stages = ("tokenizer", "builder", "model", "optimizer", "sampler")
    chosen = {stage: listed(names.get(stage, (tables[stage]["name"],)), f"--{stage}") for stage in stages}
    return product(tables, chosen, axes, Catalogue())


def test_arms_are_the_product_of_all_lists():
    found = arms(axis("model.n_layer", "2", "3"), tokenizer=("bpe", "byte"), model=("gpt", "rnn"))
    assert [arm.label for arm in found] == [
        f"{tokenizer}, {model}, n_layer {n}" for tokenizer in ("bpe", "byte") for model in ("gpt", "rnn") for n in (2, 3)
    ]
    assert [arm.recipe.choice("model").options["n_layer"] for arm in found] == [2, 3] * 4
    assert found[-1].settings == {"tokenizer": "byte", "model": "rnn", "model.n_layer": "3"}


def test_an_option_counts_for_the_implementations_that_have_it():
    found = arms(axis("model.n_head", "1", "2"), axis("model.n_hidden", "32"), model=("gpt", "rnn"))
    assert [arm.label for arm in found] == ["gpt, n_head 1", "gpt, n_head 2", "rnn"]
    assert found[2].recipe.choice("model").options["n_hidden"] == 32


def test_an_option_behind_a_name_is_that_ones_alone():
    found = arms(axis("model.n_layer", "2", "3"), model=("rnn,rnn,cell=gru", "gpt,preset=gpt2,n-layer=1"))
    assert [arm.label for arm in found] == [
        *("rnn, n_layer 2", "rnn, n_layer 3", "rnn, cell gru, n_layer 2", "rnn, cell gru, n_layer 3"),
        "gpt, preset gpt2, n_layer 1",
    ]
    assert [arm.recipe.choice("model").options.get("cell", "lstm") for arm in found[:4]] == ["lstm", "lstm", "gru", "gru"]
    assert found[4].settings == {"model": "gpt", "model.preset": "gpt2", "model.n_layer": "1"}
    assert found[4].recipe.choice("model").options["preset"] == "gpt2"


def test_samplers_have_options_behind_their_names():
    found = arms(axis("sampler.k", "7"), sampler=("top-k,k=5,top-k", "temperature,temperature=0.5"))
    assert [each.label for each in found[0].samplers] == ["top-k, k 5", "top-k", "temperature, temperature 0.5"]
    assert [each.choice.options.get("k") for each in found[0].samplers] == [5, 7, None]


def test_lists_of_names():
    assert listed(["gpt, rnn", "gpt"], "--model") == (Choice("gpt"), Choice("rnn"), Choice("gpt"))
    assert listed(["a,kind=x,kind=y,b"], "--data") == (Choice("a", kind="x,y"), Choice("b"))


@pytest.mark.parametrize("texts", [[","], ["cell=gru"], ["gpt", "cell=gru,rnn"]])
def test_a_list_without_a_name_is_refused(texts):
    with raises_code("value-missing"):
        listed(texts, "--model")


@pytest.mark.parametrize(
    ("texts", "code"), [("rnn,cel=gru", "unknown-option"), ("rnn,n-layer=0", "option-bounds"), ("rnn,cell=x", "option-choice")]
)
def test_what_an_implementation_does_not_take_behind_its_name_is_refused(texts, code):
    with raises_code(code):
        arms(model=(texts,))


def test_training_options_vary_too():
    found = arms(axis("training.batch_size", "8", "16"))
    assert [(arm.label, arm.recipe.training.batch_size) for arm in found] == [
        ("batch_size 8", 8),
        ("batch_size 16", 16),
    ]


def test_samplers_make_no_arms():
    found = arms(axis("sampler.k", "5", "50"), sampler=("greedy", "top-k"))
    assert len(found) == 1
    assert [each.label for each in found[0].samplers] == ["greedy", "top-k, k 5", "top-k, k 50"]
    assert found[0].samplers[1].choice.options["k"] == 5
    assert found[0].recipe.choice("sampler") == found[0].samplers[0].choice


def test_one_way_of_doing_it_is_called_after_its_model():
    assert [arm.label for arm in arms()] == ["gpt"]


def test_equal_labels_get_numbers():
    assert [arm.label for arm in distinct([*arms(), *arms()])] == ["gpt", "gpt (2)"]


@pytest.mark.parametrize(
    ("wrong", "code", "hint"),
    [
        (axis("model.n_layers", "2"), "unknown-option", "Did you mean n_layer?"),
        (axis("model.n_layer", "2", "x"), "option-type", ""),
        (axis("model.n_layer", "0"), "option-bounds", ""),
    ],
)
def test_what_no_implementation_has_or_takes_is_refused(wrong, code, hint):
    with raises_code(code) as caught:
        arms(wrong)
    assert hint in caught.value.hint
