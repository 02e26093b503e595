"""Tiny fakes for core's tests: a machine, a builder of given batches, a model of two matrices."""

from __future__ import annotations

import os
import signal
import types

import numpy as np
import pytest
import torch
from torch import nn

from pentad import IGNORED, Batch, Choice, ExampleBuilder, Model, Output, Recipe
from pentad.contracts.optimizer import Optimization
from pentad.system.machine import Machine


class Tiny(Model):
    """Embedding, dropout, head: the features of a position depend on its own id alone."""

    def __init__(self, vocab_size=11, width=4, dropout=0.0, tied=False, context_length=None):
        super().__init__()
        self.vocab_size, self.context_length = vocab_size, context_length
        self.embedding = nn.Embedding(vocab_size, width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, vocab_size, bias=not tied)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, inputs, state=None, segments=None):
        return Output(self.dropout(self.embedding(inputs)), state)

    def logits(self, features):
        return self.head(features)

    def initial_state(self, batch_size, max_length):
        return None


class Summing(Tiny):
    """Position t sees the sum of the embeddings up to t: its state is that sum. Segments start it anew."""

    def forward(self, inputs, state=None, segments=None):
        embedded = self.embedding(inputs)
        if segments is None:
            summed = embedded.cumsum(dim=1)
        else:
            same = (segments[:, :, None] == segments[:, None, :]).tril().to(embedded.dtype)
            summed = same @ embedded
        if state is not None:
            summed = summed + state["sum"]
            state = {"sum": summed[:, -1:]}
        return Output(torch.tanh(summed), state)

    def initial_state(self, batch_size, max_length):
        return {"sum": torch.zeros(batch_size, 1, self.embedding.embedding_dim)}


class Uniform(Tiny):
    """Every id is equally likely."""

    def logits(self, features):
        return super().logits(features) * 0


class Counting(Model):
    """A bigram model that is counted: no parameters, two buffers."""

    context_length = None

    def __init__(self, vocab_size):
        super().__init__()
        self.vocab_size = vocab_size
        self.register_buffer("counts", torch.full((vocab_size, vocab_size), 0.1))

    def forward(self, inputs, state=None, segments=None):
        return Output(self.counts[inputs], state)

    def logits(self, features):
        return (features / features.sum(dim=-1, keepdim=True)).log()

    def initial_state(self, batch_size, max_length):
        return None

    def learn_by_counting(self, inputs, targets, segments):
        counted = targets != IGNORED
        self.counts.index_put_((inputs[counted], targets[counted]), torch.tensor(1.0), accumulate=True)


class Given(ExampleBuilder):
    """Example i is row i of a given table of ids; its target is the next id, or IGNORED where `kept` says so."""

    def __init__(self, rows, kept=None, objective=None):
        self.rows = np.asarray(rows, dtype=np.int64)
        self.kept = np.ones_like(self.rows[:, 1:], dtype=bool) if kept is None else np.asarray(kept, dtype=bool)
        self.context_length, self.end_of_text, self.own = self.rows.shape[1] - 1, 0, objective

    def count(self, tokens):
        return len(self.rows)

    def build(self, tokens, indices, seed):
        at = np.asarray(indices) % len(self.rows)
        targets = np.where(self.kept[at], self.rows[at, 1:], IGNORED)
        return Batch(inputs=self.rows[at, :-1].copy(), targets=targets)

    def objective(self):
        return self.own


class ByteLike:
    """A tokenizer of 256 bytes and an end of text, as far as core asks one."""

    vocab_size, end_of_text, lossless = 257, 256, True

    def encode(self, text):
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint32)

    def token_bytes(self, token):
        return bytes([token]) if token < 256 else b""

    def decode(self, tokens):
        return b"".join(self.token_bytes(int(token)) for token in tokens).decode("utf-8", errors="replace")


def sgd(model, lr=0.1, schedule=lambda progress: 1.0, **kwargs):
    """Return plain gradient descent over all parameters."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return Optimization(optimizers=[torch.optim.SGD(parameters, lr=lr, **kwargs)], schedule=schedule)


@pytest.fixture(scope="session")
def fakes():
    """Return the fakes of this file by their names."""
    return types.SimpleNamespace(
        Tiny=Tiny, Summing=Summing, Uniform=Uniform, Counting=Counting, Given=Given, ByteLike=ByteLike, sgd=sgd
    )


_WRITES = ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "open")


@pytest.fixture(scope="session")
def killed_at():
    """Return a function that works in a process that kills itself at its count-th write, and says whether it got so far."""

    def run(count, work):
        child = os.fork()
        if child == 0:
            try:
                _count_down(count)
                work()
            finally:
                os._exit(0)
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])

    return run


def _count_down(count):
    left = [count]

    def counted(real):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        return call

    for name in _WRITES:
        setattr(os, name, counted(getattr(os, name)))


@pytest.fixture(scope="session")
def cpu():
    """Return the machine of all tests: fp32 on one CPU thread."""
    torch.set_num_threads(1)
    return Machine(device=torch.device("cpu"), precision="fp32", threads=1)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """One cache for all runs of the tests, so that equal texts are cut and encoded once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def text(tmp_path):
    """Return a file with a text of 60 short documents, for a run of milliseconds."""
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    return path


@pytest.fixture(scope="session")
def tiny_recipe():
    """Return a function that makes the recipe of a run of milliseconds: `tiny_recipe(text, steps, **changes)`."""

    def make(text, steps=8, **changes):
        training = {
            "steps": steps,
            "batch_size": 8,
            "context_length": 16,
            "gradient_accumulation": 2,
            **changes.pop("training", {}),
        }
        tables = {
            "machine": {"device": "cpu", "threads": 1, "precision": "fp32"},
            "evaluation": {"evaluate_every": 0.3},
            "generation": {"max_tokens": 8, "samples": 2, "prompt": "1 c", "sample_every": 0.5},
            "reporting": {"log_every": 3, "keep_checkpoints": 3},
        }
        tables = {name: {**table, **changes.pop(name, {})} for name, table in tables.items()}
        model = Choice("gpt", n_layer=1, n_head=2, n_embd=8, dropout=0.2, ngram_order=0)
        stages = {"tokenizer": "byte", "builder": "next-token", "model": model, "optimizer": "adamw", "sampler": "temperature"}
        return Recipe(**{**stages, **changes}, data=text, training=training, **tables)

    return make
