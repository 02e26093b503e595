"""Sizes that are left open: who is asked, what holds, what is refused, and what another run may size anew."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from pentad import Advice, Catalogue, Choice, Implementation, Recipe, Situation, option
from pentad.config.options import changed, given, to_dict
from pentad.registry.offers import Offer
from pentad.registry.resolving import Resolved, advised, resolve, written_tables
from pentad.testing import raises_code

SITUATION = Situation(train_bytes=1_000_000, n_train_tokens=400_000, flops=1e12)


@dataclass(frozen=True, kw_only=True)
class Options:
    size: int = option(1, "A size.", ge=1, le=100)
    other: int = option(2, "Another.")


def asked(advise, **options) -> tuple[Resolved, Advice]:
    """Ask a fake model's advise, with options as the user gave them."""
    record = Implementation(name="fake", summary="", factory=dict, options=Options, advise=advise)
    offer = Offer(kind="model", name="fake", record=record, distribution="pentad-fake", version="1")
    stages = {"tokenizer": "byte", "builder": "next-token", "optimizer": "adamw", "sampler": "greedy"}
    recipe = Recipe(**stages, model=Choice("fake", **options), data="x", training={"steps": 1})
    catalogue = SimpleNamespace(find=lambda stage, name: offer if stage == "model" else Catalogue().find(stage, name))
    return advised(resolve(recipe, catalogue), "model", SITUATION)


def test_what_is_open_is_filled_and_the_recipe_holds_it():
    resolved, advice = asked(lambda options, situation: Advice(values={"size": situation.train_bytes // 10**5}, reason="why"))
    assert (resolved.options["model"], advice.reason) == (Options(size=10), "why")
    assert resolved.recipe.model == Choice("fake", size=10, other=2)


def test_what_the_user_gave_holds_also_where_it_is_the_default():
    seen = []

    def advise(options, situation):
        seen.append((options, situation.open))
        return Advice(values={"size": 50, "other": 60})

    resolved, advice = asked(advise, size=1)
    assert seen == [(Options(), frozenset({"other"}))]
    assert resolved.options["model"] == Options(size=1, other=60)
    assert advice.values == {"other": 60}


def test_nobody_is_asked_where_nothing_is_open():
    resolved, advice = asked(lambda options, situation: pytest.fail("asked"), size=1, other=2)
    assert resolved.options["model"] == Options() and advice == Advice()


def test_no_opinion_leaves_the_defaults():
    resolved, advice = asked(lambda options, situation: None)
    assert resolved.options["model"] == Options() and advice == Advice()


@pytest.mark.parametrize(
    ("advise", "code"),
    [
        (lambda options, situation: 1 / 0, "advise-failed"),
        (lambda options, situation: {"size": 3}, "plugin-contract"),
        (lambda options, situation: Advice(values={"size": 101}), "advise-failed"),
        (lambda options, situation: Advice(values={"width": 3}), "advise-failed"),
        ("pentad_nowhere:advise", "implementation-broken"),
    ],
)
def test_an_advice_that_is_wrong_is_its_plugins_fault(advise, code):
    with raises_code(code):
        asked(advise)


def test_tables_as_written_leave_open_what_was_open_and_can_be_sized():
    stages = {"tokenizer": "bpe", "builder": "next-token", "optimizer": "adamw", "sampler": "greedy"}
    recipe = Recipe(**stages, model=Choice("gpt", n_layer=3), data="x", training={"steps": 1, "batch_size": 8})
    tables = written_tables(resolve(recipe, Catalogue()))
    assert tables["model"] == {"name": "gpt", "n_layer": 3}
    assert "n_layer" in tables["model"] and "vocab_size" not in tables["tokenizer"]
    assert tables["training"]["batch_size"] == 8 and "context_length" not in tables["training"]
    again = resolve(Recipe.from_dict(tables), Catalogue())
    assert again.open["model"] == resolve(recipe, Catalogue()).open["model"]
    assert written_tables(again) == tables


def test_a_copy_with_changes_keeps_open_what_was_open():
    copy = changed(Options(), size=1)
    assert given(copy) == {"size"} and to_dict(copy) == {"size": 1, "other": 2}
    assert given(changed(copy, other=5)) == {"size", "other"}


def test_what_a_budget_buys():
    text = Situation(train_bytes=10, tokens=500.0)
    assert text.tokens_for(1e6) == 500 and text.seconds_for(1e6) == 0
    time = Situation(train_bytes=10, n_train_tokens=4, flops=2e12, seconds=20.0, flops_per_second=1e11)
    assert (time.tokens_for(1e6), time.seconds_for(1e6), time.bytes_per_token) == (2e6, 20.0, 2.5)
    assert Situation(train_bytes=10).tokens_for(1e6) == 0
    assert "2e12 FLOPs" in time.in_words and "10 B" in time.in_words
