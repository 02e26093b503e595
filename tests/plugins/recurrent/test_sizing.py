"""Sizes of the recurrent models: they grow with the budget and the text, and keep what was given."""

from __future__ import annotations

import dataclasses

import pytest

from pentad import Situation
from pentad.config.options import given, parse
from pentad_recurrent.options import (
    GatedDeltaNetOptions,
    LinearAttentionOptions,
    MinGRUOptions,
    RecurrentOptions,
    RetNetOptions,
)
from pentad_recurrent.sizing import advise, cost

EACH = pytest.mark.parametrize("kind", [MinGRUOptions, LinearAttentionOptions, RetNetOptions, GatedDeltaNetOptions])


def size_of(kind: type[RecurrentOptions], flops: float, tokens: int, **values: object) -> RecurrentOptions:
    options = parse(kind, values, "model")
    left_open = frozenset(kind.__dataclass_fields__) - given(options)
    text = Situation(train_bytes=2 * tokens, n_train_tokens=tokens, vocab_size=1024, flops=flops, open=left_open)
    advice = advise(options, text)
    assert advice is not None and not advice.values.keys() & values.keys()
    return dataclasses.replace(options, **advice.values)


def parameters(size: RecurrentOptions) -> float:
    return cost(size, Situation(train_bytes=1, vocab_size=1024)).parameters


@EACH
def test_more_arithmetic_and_more_text_make_it_larger(kind: type[RecurrentOptions]) -> None:
    by_flops = [parameters(size_of(kind, flops, tokens=10**8)) for flops in (1e10, 1e11, 1e12, 1e13, 1e15)]
    by_text = [parameters(size_of(kind, 1e18, tokens=tokens)) for tokens in (10**4, 10**5, 10**6, 10**7, 10**8)]
    assert by_flops == sorted(by_flops) and by_flops[0] < by_flops[2] < by_flops[-1]
    assert by_text == sorted(by_text) and by_text[0] < by_text[2] < by_text[-1]


@EACH
def test_what_was_given_is_kept_and_the_rest_fits_it(kind: type[RecurrentOptions]) -> None:
    deep = size_of(kind, 1e13, 10**8, n_layer=7)
    wide = size_of(kind, 1e13, 10**8, n_embd=96, dropout=0.3)
    assert deep.n_layer == 7 and wide.n_embd == 96 and wide.dropout == 0.3
    assert deep.n_embd < size_of(kind, 1e13, 10**8, n_layer=1).n_embd
