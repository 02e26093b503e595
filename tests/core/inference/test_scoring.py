"""Bits per byte: every byte once, against cases worked out by hand."""

from __future__ import annotations

import math
import random
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pentad.contracts.batch import Tokens
from pentad.contracts.evaluator import HeldOut, RunEvaluator
from pentad.contracts.vocabulary import Vocabulary
from pentad.data.shards import TokenShard
from pentad.inference import scoring as module
from pentad.inference.net import ModelNet, bits_per_byte
from pentad.inference.scoring import Offered, judge, score_windows, standard_error
from pentad.inference.session import ModelSession
from pentad.testing import raises_code

TEXTS = ["hello world", "a", "héé 😀", "x" * 40, "the end\n"]


def shard(tokenizer, texts=TEXTS):
    end = [tokenizer.end_of_text]
    ids = np.concatenate([end, *(np.concatenate([tokenizer.encode(text), end]) for text in texts)])
    tokens = Tokens.of(ids.astype(np.uint16), tokenizer.end_of_text)
    return TokenShard(tokens, sum(len(text.encode()) for text in texts), len(texts), "")


class Windows(RunEvaluator):
    """Bits per byte, as the shipped evaluator has it."""

    primary = "bits_per_byte"

    def evaluate(self, session, text):
        score = score_windows(session, text)
        bits = bits_per_byte(score.nats, max(score.n_bytes, 1))
        loss = score.nats / max(score.n_tokens, 1)
        return {"bits_per_byte": bits, "loss": loss, "n_bytes": score.n_bytes, "n_tokens": score.n_tokens}


def evaluate(model, cpu, tokenizer, shard, context_length, *, step=0, most_tokens=None):
    """Judge as the loop does, in a session of the model."""
    was_training = model.training
    session = ModelSession(model, cpu, tokenizer, Vocabulary.of(tokenizer))
    model.train(was_training)
    text = HeldOut(tokens=shard.tokens, n_bytes=shard.n_bytes, context_length=context_length, max_tokens=most_tokens)
    return judge(session, Offered("windows", Windows()), text, step=step)


def test_a_uniform_model_by_hand(fakes, cpu):
    tokenizer, n_bytes = fakes.ByteLike(), sum(len(text.encode()) for text in TEXTS)
    found = evaluate(fakes.Uniform(257), cpu, tokenizer, shard(tokenizer), 8, step=3)
    assert (found.n_bytes, found.n_tokens, found.step, found.context_length) == (n_bytes, n_bytes, 3, 8)
    assert found.bits_per_byte == pytest.approx(math.log2(257), rel=1e-6)
    assert found.perplexity == pytest.approx(257, rel=1e-4) and found.loss == pytest.approx(math.log(257), rel=1e-6)


class Pairs:
    """Two bytes a token where it can: fewer tokens for the same bytes."""

    vocab_size, end_of_text = 256 + 65536 + 1, 65792

    def encode(self, text):
        data = text.encode()
        pairs = [256 + 256 * data[at] + data[at + 1] for at in range(0, len(data) - 1, 2)]
        return np.array([*pairs, *data[len(data) // 2 * 2 :]], dtype=np.uint32)

    def token_bytes(self, token):
        if token == self.end_of_text:
            return b""
        return bytes([token]) if token < 256 else bytes(divmod(token - 256, 256))


def test_tokenizers_agree_where_the_model_knows_nothing(fakes, cpu, monkeypatch):
    tokenizer = Pairs()
    text = shard(tokenizer)
    end = [Pairs.end_of_text]
    ids = np.concatenate([end, *(np.concatenate([tokenizer.encode(text), end]) for text in TEXTS)]).astype("<u4")
    text = TokenShard(Tokens.of(ids, Pairs.end_of_text), text.n_bytes, text.n_documents, "")
    found = evaluate(fakes.Uniform(tokenizer.vocab_size), cpu, tokenizer, text, 8)
    n_tokens = sum(len(tokenizer.encode(text)) for text in TEXTS)
    assert found.n_tokens == n_tokens < found.n_bytes
    assert found.bits_per_byte == pytest.approx(math.log2(tokenizer.vocab_size) * n_tokens / found.n_bytes, rel=1e-6)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text("aé😀 ", min_size=1, max_size=20), min_size=1, max_size=8), length=st.integers(1, 30))
def test_every_byte_is_scored_once(fakes, cpu, texts, length):
    tokenizer, seen = fakes.ByteLike(), []
    model = fakes.Uniform(257)
    text = shard(tokenizer, texts)
    original = ModelNet.nll

    def spy(net, features, targets, weights=None):
        seen.append(targets[targets >= 0].numpy())
        return original(net, features, targets, weights)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ModelNet, "nll", spy)
        found = evaluate(model, cpu, tokenizer, text, length)
    scored = b"".join(tokenizer.token_bytes(token) for token in np.concatenate(seen))
    assert scored == "".join(texts).encode()
    assert found.n_bytes == len(scored)


def test_documents_do_not_see_each_other(fakes, cpu):
    torch.manual_seed(0)
    tokenizer, model = fakes.ByteLike(), fakes.Summing(257)
    together = evaluate(model, cpu, tokenizer, shard(tokenizer), 500)
    alone = [evaluate(model, cpu, tokenizer, shard(tokenizer, [text]), 500) for text in TEXTS]
    nats = sum(found.loss * found.n_tokens for found in alone)
    assert together.loss * together.n_tokens == pytest.approx(nats, rel=1e-5)
    # Whereas a model that is told nothing of the documents has another score.
    forgetful = fakes.Summing(257)
    forgetful.load_state_dict(model.state_dict())
    forward = forgetful.forward
    forgetful.forward = lambda inputs, state=None, segments=None: forward(inputs, state)
    assert evaluate(forgetful, cpu, tokenizer, shard(tokenizer), 500).loss != pytest.approx(together.loss, rel=1e-3)


@pytest.mark.parametrize("at_once", [1, 64, 10**6])
def test_the_score_does_not_depend_on_how_much_is_done_at_once(fakes, cpu, monkeypatch, at_once):
    torch.manual_seed(0)
    tokenizer, model = fakes.ByteLike(), fakes.Summing(257)
    expected = evaluate(model, cpu, tokenizer, shard(tokenizer), 16)
    rows = []
    forward = model.forward
    model.forward = lambda inputs, state=None, segments=None: rows.append(inputs.numel()) or forward(inputs, state, segments)
    monkeypatch.setattr(module, "TOKENS_AT_ONCE", at_once)
    found = evaluate(model, cpu, tokenizer, shard(tokenizer), 16)
    assert found.bits_per_byte == pytest.approx(expected.bits_per_byte, rel=1e-6)
    assert max(rows) <= max(at_once, 16)


def test_memory_does_not_grow_with_the_text(fakes, cpu, tmp_path: Path, monkeypatch):
    tokenizer = fakes.ByteLike()
    largest = []
    monkeypatch.setattr(ModelNet, "nll", lambda net, features, targets, weights=None: largest.append(targets.numel()) or 0.0)
    for n_tokens in (20_000, 2_000_000):
        tokens = np.memmap(tmp_path / f"{n_tokens}", dtype=np.uint16, mode="w+", shape=(n_tokens,))
        evaluate(fakes.Uniform(257), cpu, tokenizer, TokenShard(Tokens.of(tokens, 256), n_tokens, 1, ""), 128)
    assert max(largest) <= module.TOKENS_AT_ONCE


def test_a_sample_of_the_windows_scores_their_own_bytes(fakes, cpu):
    tokenizer = fakes.ByteLike()
    found = evaluate(fakes.Uniform(257), cpu, tokenizer, shard(tokenizer, TEXTS * 50), 8, most_tokens=64)
    assert 50 <= found.n_tokens == found.n_bytes <= 64  # ends of documents are no bytes
    assert found.bits_per_byte == pytest.approx(math.log2(257), rel=1e-6)


def test_scoring_leaves_the_models_mode(fakes, cpu):
    tokenizer, model = fakes.ByteLike(), fakes.Tiny(257, dropout=0.5)
    first = evaluate(model, cpu, tokenizer, shard(tokenizer), 8)
    assert model.training
    model.eval()
    assert evaluate(model, cpu, tokenizer, shard(tokenizer), 8).loss == first.loss
    assert not model.training


def test_an_empty_text_has_no_score(fakes, cpu):
    tokenizer = fakes.ByteLike()
    found = evaluate(fakes.Uniform(257), cpu, tokenizer, shard(tokenizer, []), 8)
    assert (found.bits_per_byte, found.n_tokens, found.n_bytes) == (0.0, 0, 0)


@pytest.mark.parametrize("length", [4, 100])
def test_what_is_not_learned_is_context_and_is_not_scored(fakes, cpu, length):
    torch.manual_seed(0)
    tokenizer, model = fakes.ByteLike(), fakes.Summing(257)
    ids = np.array([256, *b"question", *b"answer", 256], dtype=np.uint16)
    learn = np.array([False] * 9 + [True] * 6 + [False])
    text = TokenShard(Tokens(ids=ids, starts=np.array([0, 15]), learn=learn), 6, 1, "")
    found = evaluate(model, cpu, tokenizer, text, length)
    assert (found.n_tokens, found.n_bytes) == (6, 6)
    if length == 100:  # one window sees the whole question
        session = ModelSession(model, cpu, tokenizer, Vocabulary.of(tokenizer))
        assert found.loss * 6 == pytest.approx(session.score("answer", "question").nats, rel=1e-5)


def test_an_evaluator_without_its_primary_score_is_refused(fakes, cpu):
    class Silent(RunEvaluator):
        primary = "accuracy"

        def evaluate(self, session, text):
            return {"n_tokens": 1, "n_bytes": 1}

    session = ModelSession(fakes.Uniform(257), cpu, fakes.ByteLike(), Vocabulary.of(fakes.ByteLike()))
    text = HeldOut(tokens=shard(fakes.ByteLike()).tokens, n_bytes=1, context_length=8)
    with raises_code("evaluator-contract"):
        judge(session, Offered("silent", Silent()), text)


def test_the_standard_error_is_that_of_a_ratio_of_means():
    source = random.Random(0)
    draws = []
    for _ in range(400):
        stretches = [
            (source.gauss(2.0, 0.3) * size * math.log(2), size) for size in (source.randrange(80, 120) for _ in range(40))
        ]
        mean = sum(nats for nats, _ in stretches) / sum(size for _, size in stretches) / math.log(2)
        draws.append((mean, standard_error(stretches)))
    spread = statistics.stdev(mean for mean, _ in draws)
    assert statistics.fmean(error for _, error in draws) == pytest.approx(spread, rel=0.1)
    assert standard_error([(1.0, 10)] * 7) == 0.0 == standard_error([])
