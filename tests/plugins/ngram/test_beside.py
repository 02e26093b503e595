"""When a model's advice has counts of n-grams in it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pentad import Advice, Situation
from pentad_ngram.beside import weight_for, with_counts

OPEN = frozenset({"ngram_order", "ngram_weight", "n_layer"})
TEXT = Situation(train_bytes=1_000_000, n_train_tokens=400_000, vocab_size=1024, open=OPEN)
SIZE = Advice(values={"n_layer": 2}, reason="2 layers: 1.0 MB of text", max_tokens=8e6)


def test_they_come_to_the_size() -> None:
    assert with_counts(SIZE, TEXT, 400_000) == Advice(
        values={"n_layer": 2, "ngram_order": 4, "ngram_weight": 0.8},
        reason="2 layers beside 4-grams: 1.0 MB of text",
        max_tokens=8e6,
    )
    assert with_counts(None, TEXT, 0) == Advice(values={"ngram_order": 4, "ngram_weight": 0.5}, reason="4-grams beside it")


def test_where_tokens_are_bytes_they_are_longer() -> None:
    advice = with_counts(None, dataclasses.replace(TEXT, n_train_tokens=1_000_000), 0)
    assert advice is not None and advice.values["ngram_order"] == 8


def test_the_more_often_a_text_is_read_the_less_counts_weigh() -> None:
    weights = [weight_for(passes) for passes in (0.01, 0.1, 1, 3, 8, 16)]
    assert weights == sorted(weights, reverse=True) and weights[0] == weights[1] == 1.0 and weights[4] == weights[5] == 0.5
    advice = with_counts(SIZE, TEXT, 1e12)  # the text ends it after 20 passes
    assert advice is not None and advice.values["ngram_weight"] == weight_for(20)


def test_what_was_given_is_left_alone() -> None:
    order_given = dataclasses.replace(TEXT, open=OPEN - {"ngram_order"})
    assert with_counts(SIZE, order_given, 1e4) == dataclasses.replace(SIZE, values={"n_layer": 2, "ngram_weight": 1.0})
    weight_given = with_counts(SIZE, dataclasses.replace(TEXT, open=OPEN - {"ngram_weight"}), 1e5)
    assert weight_given is not None and weight_given.values == {"n_layer": 2, "ngram_order": 4}


@pytest.mark.parametrize(
    "change", [{"open": frozenset({"n_layer"})}, {"device": "cuda"}, {"starts_from_run": True}, {"n_train_tokens": None}]
)
def test_there_are_none_where_they_were_decided_or_would_not_fit(change: dict[str, Any]) -> None:
    assert with_counts(SIZE, dataclasses.replace(TEXT, **change), 1e5) is SIZE
