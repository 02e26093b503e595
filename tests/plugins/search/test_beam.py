"""Golden: transformers' beam search with the same model. As wide as the vocabulary, it finds the likeliest of all."""

from __future__ import annotations

import pytest
import torch

from pentad import Limits
from pentad.testing.subjects import Table, random_table, session_of


def tokens_of(events, samples):
    return [[event.token for event in events if event.sequence == index] for index in range(samples)]


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.5])
@pytest.mark.parametrize(("width", "samples"), [(1, 1), (5, 3)])
def test_as_in_transformers(width, samples, length_penalty, session, peer, decoder):
    for text in ("1 e", "fabe"):
        prompt = session.prompt(text)
        expected = peer.generate(
            prompt[None],
            attention_mask=torch.ones_like(prompt[None]),
            max_new_tokens=12,
            num_beams=width,
            num_return_sequences=samples,
            length_penalty=length_penalty,
            do_sample=False,
        )
        method = decoder("beam", width=width, length_penalty=length_penalty)
        events = list(session.generate(text, method, Limits(max_tokens=12, samples=samples)))
        for found, other in zip(tokens_of(events, samples), expected[:, len(prompt) :].tolist(), strict=True):
            assert found == other[: len(found)]
            assert set(other[len(found) :]) <= {256}  # padding


def test_ended_and_unended_sequences_are_among_them(session, decoder):
    """Else the golden test above would not see how ended ones are ranked."""
    events = list(session.generate("fabe", decoder("beam", width=5), Limits(max_tokens=12, samples=5)))
    assert {event.ended for event in events} == {"", "stop", "length"}


def test_as_wide_as_the_vocabulary_it_finds_the_likeliest_of_all(decoder):
    session = session_of(Table(random_table(257, seed=1)))
    first = session.prefill(session.prompt("1 e")[None]).log_softmax(-1)[0]  # (V,)
    scores = first[:, None] + random_table(257, seed=1).log_softmax(-1)  # (V, V): all sequences of two tokens
    scores[256] = -torch.inf
    scores[256, 0] = first[256]  # the one of a single token
    best = scores.flatten().topk(5)
    expected = [[256] if place // 257 == 256 else list(divmod(place, 257)) for place in best.indices.tolist()]
    limits = Limits(max_tokens=2, samples=5, logprobs=True, alternatives=1)
    events = list(session.generate("1 e", decoder("beam", width=257, length_penalty=0), limits))
    totals = [sum(event.logprob for event in events if event.sequence == index) for index in range(5)]
    assert tokens_of(events, 5) == expected
    assert totals == pytest.approx(best.values.tolist(), abs=1e-4)
    assert all(event.alternatives[0][1] >= event.logprob - 1e-6 for event in events)


def test_it_goes_beyond_the_context_and_is_as_wide_as_it_must_be(session, decoder):
    events = list(session.generate("1 e", decoder("beam", width=1), Limits(max_tokens=50, samples=3, ignore_end=True)))
    found = tokens_of(events, 3)
    assert len({tuple(tokens) for tokens in found}) == 3
    assert all(len(tokens) == 50 and 256 not in tokens for tokens in found)


def test_a_minimum_is_kept(session, decoder):
    events = list(session.generate("fabe", decoder("beam", width=5), Limits(max_tokens=12, samples=5, min_tokens=6)))
    ends = [place for tokens in tokens_of(events, 5) for place, token in enumerate(tokens) if token == 256]
    assert ends and min(ends) >= 6
