"""What a plugin returns that does not fit its contract ends the run with the plugin, the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pentad import Catalogue, run
from pentad.testing import raises_code

PLUGIN = """
import numpy as np
import torch
from pentad import Batch, Evaluator, ExampleBuilder, Implementation, Model, Objective, RunEvaluator, Tokenizer, hookimpl, utf8


class WrongTokenizer(Tokenizer):
    vocab_size, special_tokens = 257, {"<|endoftext|>": 256}
    def __init__(self, options): pass
    def train(self, texts): pass
    def encode(self, text): return list(utf8(text))
    def token_bytes(self, token): return bytes([token]) if token < 256 else b""
    def save(self, folder): (folder / "nothing").write_text("nothing")
    def load(self, folder): pass


class WrongModel(Model):
    context_length = None
    def __init__(self, options, vocab_size):
        super().__init__()
        self.vocab_size, self.table = vocab_size, torch.nn.Embedding(vocab_size, vocab_size)
    def forward(self, inputs, state=None, segments=None): return self.table(inputs)
    def logits(self, features): return features
    def initial_state(self, batch_size, max_length): return None


class Windows(ExampleBuilder):
    def __init__(self, options, *, context_length): self.context_length = context_length
    def count(self, tokens): return (len(tokens) - 1) // self.context_length
    def build(self, tokens, indices, seed):
        at = (indices % self.count(tokens))[:, None] * self.context_length + np.arange(self.context_length + 1)
        rows = tokens.ids[at].astype(np.int64)
        return self.made(rows[:, :-1], rows[:, 1:])
    def made(self, inputs, targets): return Batch(inputs=inputs, targets=targets)


class WrongBuilder(Windows):
    def build(self, tokens, indices, seed): return None


class WrongObjective(Objective):
    def loss(self, net, batch): return net.nll(net(batch.inputs).features, batch.targets)


class WithObjective(Windows):
    def objective(self): return WrongObjective()


class WithEvaluator(Windows):
    evaluators = ("wrong",)


class WrongEvaluator(RunEvaluator):
    primary = "wrong"
    def __init__(self, options): pass
    def evaluate(self, session, text): return 0.5


def offer(name, factory): return Implementation(name=name, summary="", factory=factory)


@hookimpl
def engine_tokenizers(): return [offer("wrong", WrongTokenizer)]
@hookimpl
def engine_models(): return [offer("wrong", WrongModel)]
@hookimpl
def engine_evaluators(): return [Evaluator(name="wrong", summary="", factory=WrongEvaluator)]
@hookimpl
def engine_example_builders():
    return [offer("wrong", WrongBuilder), offer("objective", WithObjective), offer("evaluator", WithEvaluator)]
"""


@pytest.mark.parametrize(
    ("choices", "said", "line"),
    [
        ({"tokenizer": "wrong"}, "WrongTokenizer.encode", "def encode"),
        ({"model": "wrong"}, "WrongModel.forward", "def forward"),
        ({"builder": "wrong"}, "WrongBuilder.build", "def build(self, tokens, indices, seed): return None"),
        ({"builder": "objective"}, "WrongObjective.loss", "def loss"),
        ({"builder": "evaluator"}, "WrongEvaluator.evaluate", "def evaluate"),
    ],
)
def test_it_is_told_whose_return_does_not_fit(choices, said, line, cache, text, tiny_recipe, tmp_path: Path):
    path = tmp_path / f"wrong_{abs(hash(tmp_path))}.py"
    path.write_text(PLUGIN)
    with raises_code("plugin-contract") as raised:
        run(tiny_recipe(text, 2, **choices), catalogue=Catalogue(plugin_files=[path]), out=tmp_path / "run")
    number = next(n for n, written in enumerate(PLUGIN.splitlines(), 1) if line in written)
    assert raised.value.message.startswith(f"{said} of the ")
    assert f"{path.name}, line {number}) must return " in raised.value.message
    assert f"engine plugins check {path}" in raised.value.hint
