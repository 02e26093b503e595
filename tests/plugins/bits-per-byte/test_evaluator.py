"""Bits per byte by hand, and who may be judged by them; fp32 on one thread."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from pentad import Catalogue, Evaluated, HeldOut, Model, NoOptions, Output, SpecialToken, Tokens, Vocabulary, make
from pentad.inference.scoring import Offered, find_evaluator, judge
from pentad.inference.session import ModelSession
from pentad.system.machine import Machine
from pentad.testing import EvaluatorConformance
from pentad_bits_per_byte.evaluator import BitsPerByte


class Bigram(Model):
    """Knows the probability of each id after each id."""

    context_length = None

    def __init__(self, table):
        super().__init__()
        self.vocab_size = len(table)
        self.register_buffer("table", torch.tensor(table).log())

    def forward(self, inputs, state=None, segments=None):
        return Output(self.table[inputs], state)

    def logits(self, features):
        return features

    def initial_state(self, batch_size, max_length):
        return None


@pytest.fixture
def tokenizer():
    torch.set_num_threads(1)
    return make("tokenizer", "byte")


def table():
    return np.random.default_rng(0).dirichlet(np.ones(257), size=257)


def held_out(tokenizer, *texts, context_length=64):
    end = [tokenizer.end_of_text]
    ids = np.concatenate([end, *(np.concatenate([tokenizer.encode(text), end]) for text in texts)]).astype(np.uint16)
    n_bytes = sum(len(text.encode()) for text in texts)
    return HeldOut(tokens=Tokens.of(ids, tokenizer.end_of_text), n_bytes=n_bytes, context_length=context_length)


def session(model, tokenizer):
    machine = Machine(device=torch.device("cpu"), precision="fp32", threads=1)
    return ModelSession(model, machine, tokenizer, Vocabulary.of(tokenizer))


@pytest.mark.parametrize("context_length", [1, 3, 64])
def test_it_is_the_mean_of_the_binary_logarithms(tokenizer, context_length):
    known, end, texts = table(), tokenizer.end_of_text, ("n\u00e9e", "ab")
    pairs = [pair for text in texts for pair in zip([end, *text.encode()], text.encode(), strict=False)]
    bits = -sum(math.log2(known[pair]) for pair in pairs)
    model = session(Bigram(known), tokenizer)
    found = BitsPerByte(NoOptions()).evaluate(model, held_out(tokenizer, *texts, context_length=context_length))
    assert found["bits_per_byte"] == pytest.approx(bits / 6, rel=1e-5)
    assert found["loss"] == pytest.approx(bits * math.log(2) / 6, rel=1e-5)
    assert (found["n_tokens"], found["n_bytes"]) == (6, 6)


def uniform(size):
    return np.full((size, size), 1 / size)


def test_a_uniform_model_has_the_logarithm_of_the_vocabulary(tokenizer):
    found = BitsPerByte(NoOptions()).evaluate(session(Bigram(uniform(257)), tokenizer), held_out(tokenizer, "n\u00e9e", "ab"))
    assert found["bits_per_byte"] == pytest.approx(math.log2(257), rel=1e-6)


def test_what_is_not_learned_is_not_scored(tokenizer):
    whole = held_out(tokenizer, "abcdef", context_length=4).tokens
    learn = np.array([False, False, False, True, True, False, True, True])  # "c", "d", "f" and the end of the text
    text = HeldOut(tokens=Tokens(ids=whole.ids, starts=whole.starts, learn=learn), n_bytes=3, context_length=4)
    found = BitsPerByte(NoOptions()).evaluate(session(Bigram(uniform(257)), tokenizer), text)
    assert (found["n_tokens"], found["n_bytes"]) == (3, 3)
    assert found["bits_per_byte"] == pytest.approx(math.log2(257), rel=1e-6)


def test_special_tokens_stand_for_no_byte_where_a_part_is_scored(tokenizer):
    ids = np.array([256, *[257, 97, 98, 99] * 4, 256], dtype=np.uint16)
    text = HeldOut(tokens=Tokens.of(ids, 256), n_bytes=12, context_length=4, max_tokens=8)
    vocabulary = Vocabulary.of(tokenizer, [SpecialToken(name="turn")])
    machine = Machine(device=torch.device("cpu"), precision="fp32", threads=1)
    found = BitsPerByte(NoOptions()).evaluate(ModelSession(Bigram(uniform(258)), machine, tokenizer, vocabulary), text)
    assert found["bits_per_byte"] == pytest.approx(math.log2(258) * found["n_tokens"] / found["n_bytes"], rel=1e-6)
    assert found["n_bytes"] < found["n_tokens"]


def test_it_keeps_the_evaluators_contract(tokenizer):
    model, text = Bigram(table()), held_out(tokenizer, "some text", "more")
    run = Evaluated(tokenizer=tokenizer, builder=None, model=model)
    offered, reasons = find_evaluator(["nobody", "bits-per-byte"], run, Catalogue())
    assert offered is not None and reasons == ["The evaluator nobody is not installed."]
    once, again = (judge(session(model, tokenizer), offered, text) for _ in range(2))
    assert once.scores == again.scores and once.primary in once.scores and once.lower_is_better
    assert all(math.isfinite(score) for score in once.scores.values())


def test_a_bidirectional_model_is_not_judged(tokenizer):
    model = Bigram(table())
    model.causal = False
    offered, reasons = find_evaluator(["bits-per-byte"], Evaluated(tokenizer=tokenizer, builder=None, model=model), Catalogue())
    assert offered is None and "bidirectional" in reasons[0]


@pytest.mark.parametrize("most", [None, 6])
def test_lost_bytes_are_charged_and_stand_apart_by_name(tokenizer, most):
    tokenizer.lossless = False
    model, judged = Bigram(table()), held_out(tokenizer, "twelve bytes")
    lossy = dataclasses.replace(judged, n_bytes=judged.n_bytes + 3, lost_bytes=3, max_tokens=most, context_length=3)
    found = BitsPerByte(NoOptions()).evaluate(session(model, tokenizer), lossy)
    lost = found["lost_bytes"]
    assert lost == (3 if most is None else round(3 * (found["n_bytes"] - lost) / 12))
    assert found["bits_per_byte"] == pytest.approx(found["bits_per_byte_of_tokens"] + 8 * lost / found["n_bytes"])
    assert not judge(session(model, tokenizer), Offered("bits-per-byte", BitsPerByte(NoOptions())), lossy).lossless


def test_a_lossless_score_has_no_such_names(tokenizer):
    found = BitsPerByte(NoOptions()).evaluate(session(Bigram(table()), tokenizer), held_out(tokenizer, "some text"))
    assert set(found) == {"bits_per_byte", "loss", "perplexity", "n_bytes", "n_tokens"}


def test_a_tokenizer_that_leaves_bytes_out_in_silence_is_charged_too(tokenizer):
    judged = dataclasses.replace(held_out(tokenizer, "text"), n_bytes=9)  # five bytes that no token stands for
    found = BitsPerByte(NoOptions()).evaluate(session(Bigram(table()), tokenizer), judged)
    assert found["lost_bytes"] == 5 and found["bits_per_byte"] > 8 * 5 / 9


class TestBitsPerByte(EvaluatorConformance):
    name = "bits-per-byte"
