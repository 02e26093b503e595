"""When a model's advice has counts of n-grams in it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pentad import Advice, Situation
from pentad_ngram.beside import with_counts

TEXT = Situation(train_bytes=1_000_000, n_train_tokens=400_000, vocab_size=1024, open=frozenset({"ngram_order", "n_layer"}))
SIZE = Advice(values={"n_layer": 2}, reason="2 layers: 1.0 MB of text", max_tokens=9.0)


def test_they_come_to_the_size() -> None:
    assert with_counts(SIZE, TEXT) == Advice(
        values={"n_layer": 2, "ngram_order": 4}, reason="2 layers beside 4-grams: 1.0 MB of text", max_tokens=9.0
    )
    assert with_counts(None, TEXT) == Advice(values={"ngram_order": 4}, reason="4-grams beside it")


def test_where_tokens_are_bytes_they_are_longer() -> None:
    advice = with_counts(None, dataclasses.replace(TEXT, n_train_tokens=1_000_000))
    assert advice is not None and advice.values["ngram_order"] == 8


@pytest.mark.parametrize(
    "change", [{"open": frozenset({"n_layer"})}, {"device": "cuda"}, {"starts_from_run": True}, {"n_train_tokens": None}]
)
def test_there_are_none_where_they_were_decided_or_would_not_fit(change: dict[str, Any]) -> None:
    assert with_counts(SIZE, dataclasses.replace(TEXT, **change)) is SIZE
