"""Scores of hidden tokens: against a sum worked out one token at a time, and each token asked for once."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from pentad import HeldOut, Model, NoOptions, Output, SpecialToken, Tokens, Vocabulary
from pentad.inference.session import ModelSession
from pentad.system.machine import Machine
from pentad.testing import EvaluatorConformance
from pentad_bert.model import BERT
from pentad_bert.options import BERTOptions
from pentad_byte.tokenizer import Byte
from pentad_masking.evaluators import MaskedAccuracy, PseudoLikelihood
from pentad_masking.options import HidingOptions

WIDTH, MASK = 8, 257


class TestPseudoLikelihood(EvaluatorConformance):
    name = "pseudo-likelihood"


class TestMaskedAccuracy(EvaluatorConformance):
    name = "masked-accuracy"


def session_of(model: Model) -> ModelSession:
    tokenizer = Byte(NoOptions())
    model.causal = False
    vocabulary = Vocabulary.of(tokenizer, (SpecialToken(name="mask"),))
    machine = Machine(device=torch.device("cpu"), precision="fp32", threads=1)
    return ModelSession(model, machine, tokenizer, vocabulary)


def bert() -> BERT:
    torch.manual_seed(0)
    return BERT(BERTOptions(n_layer=1, n_head=2, n_embd=16, init_std=0.5), vocab_size=258, context_length=WIDTH)


def text_of(*documents: str) -> HeldOut:
    ids = [256, *(token for document in documents for token in (*document.encode(), 256))]
    n_bytes = sum(len(document.encode()) for document in documents)
    return HeldOut(tokens=Tokens.of(np.array(ids, dtype=np.uint16), 256), n_bytes=n_bytes, context_length=WIDTH)


def test_one_token_at_a_time_is_the_pseudo_log_likelihood() -> None:
    session, word = session_of(bert()), "cat sat"  # with the end of text before it as long as a window
    scores = PseudoLikelihood(HidingOptions(apart=0)).evaluate(session, text_of(word))
    nats, right = 0.0, 0
    for place, token in enumerate(word.encode()):  # Salazar et al., equation 1
        ids = torch.tensor([[256, *word.encode()]])
        ids[0, place + 1] = MASK
        with torch.no_grad():
            logits = session.model.logits(session.model(ids).features)[0, place + 1]
        nats -= float(logits.log_softmax(dim=-1)[token])
        right += int(logits[:257].argmax() == token)
    assert scores["pseudo_bits_per_byte"] == pytest.approx(nats / math.log(2) / len(word), rel=1e-5)
    assert (scores["masked_accuracy"], scores["n_tokens"], scores["n_bytes"]) == (right / 7, 7, 7)


class Asking(Model):
    """Notes which token is hidden where; a token is told by the ids around it, which are the places of the text."""

    attention = frozenset({"bidirectional"})
    context_length, vocab_size = WIDTH, 258

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[int] = Counter()
        self.together: set[int] = set()

    def forward(self, inputs: torch.Tensor, state: object = None, segments: torch.Tensor | None = None) -> Output:
        for row in inputs.tolist():
            hidden = [column for column, token in enumerate(row) if token == MASK]
            self.together.add(len(hidden))
            shown = next((token - column for column, token in enumerate(row) if token < 256), None)
            self.asked.update([-1 if shown is None else shown + column for column in hidden])
        return Output(torch.nn.functional.one_hot(inputs, 258).float())

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        return features

    def initial_state(self, batch_size: int, max_length: int) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("apart", [0, 3, 8])
@pytest.mark.parametrize("length", [1, 7, 15, 16, 30])
def test_each_token_is_asked_for_exactly_once(length: int, apart: int) -> None:
    model, text = Asking(), text_of("".join(map(chr, range(1, length + 1))))
    scores = MaskedAccuracy(HidingOptions(apart=apart)).evaluate(session_of(model), text)
    assert sorted(model.asked.elements()) == (list(range(1, length + 1)) if length > 1 else [-1])
    assert scores["n_tokens"] == scores["n_bytes"] == length
    assert scores["masked_accuracy"] == 0.0  # what is read is said, and what is hidden is not read
    assert apart != 0 or model.together == {1}


def test_what_is_not_learned_is_not_asked_for() -> None:
    plain = text_of("abcdefgh").tokens
    learn = np.array([False, True] * 5)
    text = HeldOut(tokens=Tokens(ids=plain.ids, starts=plain.starts, learn=learn), n_bytes=4, context_length=WIDTH)
    scores = PseudoLikelihood(HidingOptions()).evaluate(session_of(bert()), text)
    assert (scores["n_tokens"], scores["n_bytes"]) == (4, 4)


def test_a_part_is_judged_where_asked_and_says_how_sure_that_is() -> None:
    text = text_of("abc cab abc" * 60)
    scores = PseudoLikelihood(HidingOptions(apart=2)).evaluate(session_of(bert()), text)
    assert scores["n_tokens"] == 660 and 0 < scores["standard_error"] < scores["pseudo_bits_per_byte"]
    some = HeldOut(tokens=text.tokens, n_bytes=660, context_length=WIDTH, max_tokens=200)
    few = PseudoLikelihood(HidingOptions(apart=2)).evaluate(session_of(bert()), some)
    assert 80 <= few["n_tokens"] == few["n_bytes"] <= 100  # two passes read 200 tokens
    assert few["pseudo_bits_per_byte"] == pytest.approx(scores["pseudo_bits_per_byte"], rel=0.1)


def test_lost_bytes_are_charged() -> None:
    whole = text_of("abcdefg")
    lossy = HeldOut(tokens=whole.tokens, n_bytes=10, context_length=WIDTH, lost_bytes=3)
    one, other = (PseudoLikelihood(HidingOptions()).evaluate(session_of(bert()), text) for text in (whole, lossy))
    bits = 7 * one["pseudo_bits_per_byte"] + 8 * 3
    assert other["pseudo_bits_per_byte"] == pytest.approx(bits / 10) and other["lost_bytes"] == 3
