"""Golden: transformers' repetition penalty; OpenAI's formula for the two others."""

from __future__ import annotations

import pytest
import torch
from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

from pentad import Limits
from pentad.testing.subjects import Table, random_table, session_of


@pytest.mark.parametrize("penalty", [0.7, 1.0, 1.3, 5.0])
def test_repetition_as_in_transformers(penalty, logits, tokens, sampler):
    found = sampler("repetition-penalty", penalty=penalty).probabilities(logits, tokens)
    expected = RepetitionPenaltyLogitsProcessor(penalty)(tokens, logits.clone()).softmax(dim=-1)
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.allclose(found, logits.softmax(dim=-1), atol=1e-6) == (penalty == 1)


def test_by_how_often_and_whether(logits, tokens, sampler):
    prompt, text = tokens[:, :15], tokens
    counts = torch.nn.functional.one_hot(text[:, 15:], 257).sum(dim=1)
    for name, times in (("frequency-penalty", counts), ("presence-penalty", (counts > 0).long())):
        made = sampler(name, penalty=0.7)
        found = made.constrained(logits, text, made.start(prompt))
        assert torch.allclose(found, (logits - 0.7 * times).softmax(dim=-1), atol=1e-6)
        whole = sampler(name, penalty=0.7, prompt=True)
        assert torch.equal(whole.constrained(logits, text, whole.start(prompt)), whole.probabilities(logits, text))
        assert torch.allclose(made.probabilities(logits, text), logits.softmax(dim=-1), atol=1e-6)  # nothing is written yet


@pytest.mark.parametrize("name", ["repetition-penalty", "frequency-penalty", "presence-penalty"])
def test_a_window_forgets(name, logits, tokens, sampler):
    whole, windowed = sampler(name, prompt=True, penalty=2), sampler(name, prompt=True, penalty=2, window=7)
    assert torch.allclose(windowed.probabilities(logits, tokens), whole.probabilities(logits, tokens[:, -7:]), atol=1e-7)


@pytest.mark.parametrize("name", ["repetition-penalty", "frequency-penalty", "presence-penalty", "no-repeat-ngram", "dry"])
def test_the_end_of_a_text_is_not_held_back(name, sampler):
    """It opens each prompt, so it would be likelier than anything to be counted."""
    logits, end = torch.zeros(1, 257), torch.full((1, 6), 256)
    assert torch.allclose(sampler(name).probabilities(logits, end), logits.softmax(dim=-1))


def test_repetition_falls_and_a_chain_applies_the_penalty_first(sampler):
    session = session_of(Table(random_table(257, boldness=4.0)))
    limits = Limits(max_tokens=60, samples=3, ignore_end=True)

    def distinct(name, **options):
        events = session.generate("7 eels", sampler(name, **options), limits)
        return len({(event.sequence, event.token) for event in events})

    chain = {"repetition_penalty.penalty": 1.8, "top_k.k": 1}
    assert distinct("top-k", k=1) * 2 < distinct("repetition-penalty+top-k", **chain)
