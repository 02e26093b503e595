from __future__ import annotations

import torch

from pentad import Limits
from pentad.testing.subjects import session_of


def by_definition(session, text, k, alpha, n_tokens):
    """Return the tokens by reading every candidate from the beginning."""
    model, ids = session.model, session.prompt(text)
    with torch.no_grad():
        for _ in range(n_tokens):
            logits = model.logits(model(ids[None]).features[0, -1])
            logits[256] = -torch.inf
            probabilities = logits.softmax(dim=-1)
            scores = {}
            for token in probabilities.topk(k).indices.tolist():
                features = model(torch.cat([ids, torch.tensor([token])])[None]).features[0]
                likeness = torch.nn.functional.cosine_similarity(features[-1:], features[:-1]).max()
                scores[token] = float((1 - alpha) * probabilities[token] - alpha * likeness)
            ids = torch.cat([ids, torch.tensor([max(scores, key=scores.__getitem__)])])
    return ids.tolist()[-n_tokens:]


def tokens(session, method, **limits):
    return [event.token for event in session.generate("fab", method, Limits(**limits)) if event.sequence == 0]


def test_as_it_is_defined(session, decoder):
    for k, alpha in ((2, 0.3), (5, 0.6), (8, 1.0)):
        found = tokens(session, decoder("contrastive", k=k, alpha=alpha), max_tokens=10, ignore_end=True)
        assert found == by_definition(session, "fab", k, alpha, 10)


def test_without_a_penalty_it_is_greedy(session, decoder):
    assert tokens(session, decoder("contrastive", alpha=0), max_tokens=12) == tokens(session, decoder("greedy"), max_tokens=12)


def test_it_repeats_less_than_greedy(session, decoder):
    plain, other = (
        tokens(session, decoder(name), max_tokens=50, samples=2, ignore_end=True) for name in ("greedy", "contrastive")
    )
    assert len(plain) == len(other) == 50  # the context of 48 is left behind
    assert len(set(other)) > len(set(plain))


def test_the_session_can_be_used_afterwards(session, decoder):
    tokens(session, decoder("contrastive"), max_tokens=3)
    fresh = session_of(session.model)
    prompt = session.prompt("a")[None]
    assert torch.equal(session.prefill(prompt), fresh.prefill(prompt))
