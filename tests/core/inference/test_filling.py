"""Masks are filled where the model is surest first, with what it read before."""

from __future__ import annotations

import pytest
import torch

from pentad import Limits, Model, Output, SpecialToken, Vocabulary
from pentad.inference.filling import masked_prompt, spelled
from pentad.testing.subjects import Bytes, session_of
from pentad_bpe.options import BPEOptions
from pentad_bpe.tokenizer import BPE

MASK = 257


class Doubting(Model):
    """Is surer of later positions; says the byte after the one at its right, the letter a at the end of a row."""

    attention = frozenset({"bidirectional"})
    causal = False
    context_length, vocab_size = 12, 258

    def forward(self, inputs, state=None, segments=None):
        right = torch.nn.functional.pad(inputs[:, 1:], (0, 1), value=96)
        said = torch.where(right >= 256, 63, (right + 1).clamp(max=255))  # what stands behind a mask is not known: ?
        sure = torch.arange(1, inputs.shape[1] + 1)[None, :, None]
        return Output(torch.nn.functional.one_hot(said, 258).float() * sure)

    def logits(self, features):
        return features

    def initial_state(self, batch_size, max_length):
        raise NotImplementedError


@pytest.fixture
def session():
    return session_of(Doubting(), (SpecialToken(name="mask"),))


class Likeliest:
    def start(self, tokens):
        return None

    def constrained(self, logits, tokens, state):
        return torch.nn.functional.one_hot(logits.argmax(dim=-1), logits.shape[-1]).float()

    def advance(self, state, drawn):
        return state


def test_the_surest_first_and_then_with_what_it_wrote(session):
    ids = torch.tensor([256, MASK, MASK, 120, MASK])
    events = list(session.generate(ids, Likeliest(), Limits(samples=2, logprobs=True, alternatives=2)))
    assert [(event.sequence, event.position, event.text) for event in events] == [
        *((0, 4, "a"), (1, 4, "a")),
        *((0, 2, "y"), (1, 2, "y")),
        *((0, 1, "z"), (1, 1, "z")),  # y, which was a mask at first, has been read
    ]
    assert [event.ended for event in events] == [""] * 4 + ["filled"] * 2
    assert events[0].alternatives[0][0] == 97 and events[0].logprob == pytest.approx(events[0].alternatives[0][1])


def test_no_special_token_is_ever_drawn(session):
    ids = torch.tensor([256, *[MASK] * 11])
    drawn = {event.token for event in session.generate(ids, None, Limits(samples=20))}
    assert len(drawn) > 50 and max(drawn) < 256


def test_a_space_before_a_mask_is_part_of_what_it_hides_where_tokens_begin_with_spaces():
    tokenizer = BPE(BPEOptions(vocab_size=266))
    tokenizer.train(["not to be or not to be is not to be not"] * 20)
    vocabulary = Vocabulary.of(tokenizer, (SpecialToken(name="mask"),))
    ids = masked_prompt(tokenizer, vocabulary, ["to be or ", " to be"])
    assert ids.tolist() == [
        *(tokenizer.end_of_text, *tokenizer.encode("to be or"), tokenizer.vocab_size, *tokenizer.encode(" to be"))
    ]
    bytes_only = Vocabulary.of(Bytes(), (SpecialToken(name="mask"),))
    found = masked_prompt(Bytes(), bytes_only, ["a ", "", " b"]).tolist()
    assert found == [256, *b"a ", 257, 257, *b" b"]
    assert spelled(Bytes(), bytes_only, found) == "a <mask><mask> b"
