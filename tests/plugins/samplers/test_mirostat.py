from __future__ import annotations

import pytest
import torch

from pentad import Limits
from pentad.testing.subjects import Table, random_table, session_of


def test_the_level_follows_what_is_drawn(sampler):
    """Algorithm 2 by hand: 0.25, 0.25 and 0.5 surprise with 2, 2 and 1 bits; 1.5 are wanted."""
    made = sampler("mirostat", surprise=1.5, rate=0.5)
    logits, tokens = torch.tensor([[0.25, 0.25, 0.5]] * 2).log(), torch.zeros(2, 1, dtype=torch.int64)
    state = made.start(tokens)
    assert torch.allclose(made.constrained(logits, tokens, state), logits.exp())
    state = made.advance(state, torch.tensor([0, 2]))
    assert [level.maximum for level in state] == pytest.approx([2.75, 3.25])
    for token in (0, 0, 0):
        made.constrained(logits, tokens, state)
        state = made.advance(state, torch.tensor([token, 2]))
    assert [level.maximum for level in state] == pytest.approx([2.0, 4.0])
    made.constrained(logits, tokens, state)
    state = made.advance(state, torch.tensor([0, 2]))
    found = made.constrained(logits, tokens, state)  # the levels are 1.75 and 4.25
    assert torch.allclose(found, torch.tensor([[0, 0, 1.0], [0.25, 0.25, 0.5]]))


@pytest.mark.parametrize("surprise", [2.2, 3.2])
def test_the_text_has_the_surprise_that_was_wanted(surprise, sampler):
    # The likeliest tokens of this table surprise with 1.6 bits on average, draws from all with 3.7: between them is room.
    session = session_of(Table(random_table(257, boldness=3.0)))
    made = sampler("mirostat", surprise=surprise)
    events = session.generate("7 eels", made, Limits(max_tokens=250, samples=3, logprobs=True, ignore_end=True))
    bits = torch.tensor([-event.logprob for event in events]) / torch.tensor(2.0).log()
    assert float(bits.mean()) == pytest.approx(surprise, abs=0.15)
