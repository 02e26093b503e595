"""Golden: transformers' ban on n-grams; the penalty of DRY by its definition, in another way."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation.logits_process import NoRepeatNGramLogitsProcessor

from pentad import Limits
from pentad.testing.subjects import Table, random_table, session_of


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_ngrams_as_in_transformers(n, logits, tokens, sampler):
    found = sampler("no-repeat-ngram", n=n).probabilities(logits, tokens)
    expected = NoRepeatNGramLogitsProcessor(n)(tokens, logits.clone()).softmax(dim=-1)
    assert torch.allclose(found, expected, atol=1e-6)
    if n < 5:
        assert (found == 0).any()


def test_no_ngram_comes_twice(sampler):
    session = session_of(Table(random_table(257, boldness=6.0)))
    limits = Limits(max_tokens=80, samples=2, ignore_end=True)
    chain = sampler("no-repeat-ngram+temperature", **{"no_repeat_ngram.n": 2})
    for method, repeats in ((sampler("greedy"), True), (chain, False)):
        events = list(session.generate("7 eels 7 eels", method, limits))
        for sequence in range(2):
            ids = [event.token for event in events if event.sequence == sequence]
            pairs = list(itertools.pairwise(ids))
            assert (len(set(pairs)) < len(pairs)) == repeats


def test_where_all_is_forbidden_nothing_is(sampler):
    logits = torch.full((1, 257), -torch.inf)
    logits[0, [97, 98]] = torch.tensor([0.0, 1.0])
    found = sampler("no-repeat-ngram", n=1).probabilities(logits, torch.tensor([[97, 98]]))
    assert torch.allclose(found, logits.softmax(dim=-1))


def dry_by_definition(text: bytes, token: int, breakers: bytes) -> int:
    """Return the longest passage that the text ends with and that the token followed earlier, by trying each."""
    if token in breakers:
        return 0
    passages = (text[-length:] for length in range(len(text), 0, -1))
    return next(
        (len(passage) for passage in passages if not set(passage) & set(breakers) and passage + bytes([token]) in text), 0
    )


@settings(max_examples=40, deadline=None)
@given(text=st.text("ab.", max_size=30), allowed=st.integers(1, 3))
def test_dry_as_it_is_defined(sampler, text, allowed):
    logits = torch.zeros(1, 257)
    options = {"allowed": allowed, "multiplier": 0.5, "base": 1.5, "breakers": (".",)}
    made = sampler("dry", **options)
    expected = logits.clone()
    for token in b"ab.":
        length = dry_by_definition(text.encode(), token, b".")
        expected[0, token] -= 0.5 * 1.5 ** (length - allowed) if length >= allowed else 0
    tokens = torch.tensor([list(text.encode())], dtype=torch.int64)
    assert torch.allclose(made.probabilities(logits, tokens), expected.softmax(dim=-1), atol=1e-6)


def test_dry_breakers_may_be_typed_and_lengths_are_bounded(sampler):
    logits, tokens = torch.zeros(1, 257), torch.tensor([list(b"ab\nab\n" * 3)])
    uniform = logits.softmax(dim=-1)
    assert torch.allclose(sampler("dry", breakers=("\\n",), allowed=1).probabilities(logits, tokens), uniform)
    assert sampler("dry", breakers=("x",), allowed=1).probabilities(logits, tokens)[0, 97] < uniform[0, 97] / 2
    endless = sampler("dry", base=10).probabilities(logits, torch.full((1, 300), 97))
    assert endless[0, 97] == 0 and torch.allclose(endless.sum(), torch.tensor(1.0))
