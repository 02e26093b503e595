"""Golden: transformers' processor for guidance with the same model."""

from __future__ import annotations

import pytest
import torch
from transformers.generation.logits_process import UnbatchedClassifierFreeGuidanceLogitsProcessor

from pentad import Limits, UsageError


@pytest.mark.parametrize("scale", [0.0, 1.0, 1.5, 4.0])
def test_as_in_transformers(scale, session, peer, decoder):
    prompt, negative = session.prompt("fabe"), session.prompt("dog ")
    method = decoder("guidance", scale=scale, negative="dog ", sampler="greedy")
    found = [event.token for event in session.generate(prompt, method, Limits(max_tokens=12, ignore_end=True))]
    # With a cache, the processor would take it to hold the prompt already.
    processor = UnbatchedClassifierFreeGuidanceLogitsProcessor(scale, peer, unconditional_ids=negative[None], use_cache=False)
    ids = prompt[None]
    for _ in range(12):
        with torch.no_grad():
            scores = peer(ids).logits[:, -1] if scale != 1.0 else peer(ids).logits[:, -1].log_softmax(-1)
            guided = processor(ids, scores)
        guided[:, 256] = -torch.inf
        ids = torch.cat([ids, guided.argmax(-1, keepdim=True)], dim=1)
    assert found == ids[0, len(prompt) :].tolist()


def test_a_scale_of_one_is_the_prompt_alone(session, decoder):
    limits = Limits(max_tokens=20, samples=3, seed=5)
    plain, guided = (
        [(event.sequence, event.token) for event in session.generate("fab", method, limits)]
        for method in (decoder("temperature"), decoder("guidance", scale=1.0, negative="zzz"))
    )
    assert sorted(plain) == sorted(guided)


def test_a_decoder_cannot_draw_for_another(decoder):
    for name in ("guidance", "speculative"):
        with pytest.raises(UsageError) as raised:
            decoder(name, sampler="beam")
        assert raised.value.code == "sampler-is-decoder"
        with pytest.raises(UsageError) as raised:
            decoder(name, sampler="top-k,k=0")
        assert raised.value.code == "option-bounds"
