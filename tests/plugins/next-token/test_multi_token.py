"""The next n tokens by hand, and that the first of them is learned as by next-token."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from pentad import IGNORED, Choice, Recipe, TensorBatch, Tokens, open_run, run
from pentad.contracts.objective import CrossEntropy
from pentad.inference.net import ModelNet
from pentad.testing import raises_code
from pentad.testing.subjects import Table, machine, random_table
from pentad_next_token.builder import NextToken
from pentad_next_token.multi_token import MultiToken
from pentad_next_token.options import MultiTokenOptions, NextTokenOptions

E, NONE = 9, IGNORED


def builder(context_length, **options):
    return MultiToken(MultiTokenOptions(**options), context_length=context_length, vocab_size=10, end_of_text=E)


def text(*tokens):
    return Tokens.of(np.array(tokens, dtype=np.uint16), E)


def test_five_tokens_in_one_row():
    batch = builder(5, n=3).build(text(E, 1, 2, 3, 4, E), np.array([0]), None)
    assert batch.inputs.tolist() == [[E, 1, 2, 3, 4]]
    assert batch.targets.tolist() == [[1, 2, 3, 4, E]]
    assert batch.extra["ahead"].tolist() == [[[2, 3], [3, 4], [4, E], [E, NONE], [NONE, NONE]]]


def test_five_tokens_of_two_documents():
    batch = builder(5, n=3).build(text(E, 1, 2, E, 3, E), np.array([0]), None)
    assert batch.targets.tolist() == [[1, 2, E, 3, E]]
    assert batch.extra["ahead"].tolist() == [[[2, E], [E, NONE], [NONE, NONE], [E, NONE], [NONE, NONE]]]


def test_tokens_beyond_the_row_are_learned_too_and_those_not_to_learn_are_not():
    tokens = text(E, 1, 2, 3, 4, E)
    assert builder(2, n=4).build(tokens, np.array([0]), None).extra["ahead"].tolist() == [[[2, 3, 4], [3, 4, E]]]
    masked = Tokens(ids=tokens.ids, starts=tokens.starts, learn=np.array([True, True, True, False, True, True]))
    batch = builder(2, n=4).build(masked, np.array([0]), None)
    assert (batch.targets.tolist(), batch.extra["ahead"].tolist()) == ([[1, 2]], [[[2, NONE, 4], [NONE, 4, E]]])


documents = st.lists(st.lists(st.integers(0, 8), max_size=9), min_size=1, max_size=6)


@given(documents, st.integers(1, 8), st.integers(2, 5), st.integers(0, 2**40))
def test_every_target_is_the_text_of_its_own_document(documents, context_length, n, seed):
    tokens = text(E, *[token for document in documents for token in (*document, E)])
    made, plain = (
        builder(context_length, n=n),
        NextToken(NextTokenOptions(), context_length=context_length, vocab_size=10, end_of_text=E),
    )
    indices = np.arange(made.count(tokens))
    assume(len(indices))
    batch, expected = made.build(tokens, indices, seed), plain.build(tokens, indices, seed)
    assert np.array_equal(batch.inputs, expected.inputs) and np.array_equal(batch.targets, expected.targets)
    at = made.places(tokens, indices, seed)
    for row, column in np.ndindex(*at.shape):
        rest = tokens.ids[at[row, column] + 1 :].tolist()
        rest = rest[: rest.index(E) + 1][:n]  # to the end of this document
        found = [batch.targets[row, column], *batch.extra["ahead"][row, column]]
        assert [int(token) for token in found] == rest + [NONE] * (n - len(rest))


def tensors(batch):
    arrays = {"inputs": batch.inputs, "targets": batch.targets, **batch.extra}
    made = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return TensorBatch(inputs=made.pop("inputs"), targets=made.pop("targets"), extra=made)


@pytest.mark.parametrize("weight", [0.0, 0.3, 2.0])
def test_the_loss_of_the_next_token_is_that_of_next_token_and_the_rest_is_weighted(weight):
    made = builder(5, n=3, weight=weight)
    batch = tensors(made.build(text(E, 1, 2, 3, 4, E), np.array([0]), None))
    model = Table(random_table(10))
    model.predict_ahead(2)
    net = ModelNet(model, machine())
    loss, plain = made.objective().loss(net, batch), CrossEntropy().loss(net, batch)
    assert (loss.metrics["token-1"], loss.count) == (plain.total, plain.count)
    # A head starts as the identity, so that it says of a later token what the model says of the next.
    logprobs = random_table(10).log_softmax(-1)
    second = -sum(logprobs[token, later] for token, later in [(E, 2), (1, 3), (2, 4), (3, E)])
    third = -sum(logprobs[token, later] for token, later in [(E, 3), (1, 4), (2, E)])
    assert float(loss.metrics["token-2"]) == pytest.approx(float(second)) and float(loss.metrics["token-3"]) == pytest.approx(
        float(third)
    )
    expected = (float(plain.total.detach()) + weight * float(second + third) / 2) / (1 + weight)
    assert float(loss.total.detach()) == pytest.approx(expected)
    loss.total.backward()
    assert all(bool(parameter.grad.any()) == bool(weight) for parameter in model.heads_ahead.parameters())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("multi")
    (folder / "text.txt").write_text("".join(f"{number} eels ate {number * 7 % 13} oats.\n\n" for number in range(60)))

    def train(builder, name, model, **start):
        stages = {"builder": builder, "model": model, "optimizer": "adamw", "sampler": "greedy"}
        if not start:
            stages |= {
                "tokenizer": "byte",
                "model": Choice(model, **({} if model == "ngram" else {"n_layer": 1, "n_embd": 16})),
            }
        training = {"steps": 4, "batch_size": 4, "context_length": 16, "seed": 1}
        machine = {"device": "cpu", "threads": 1, "precision": "fp32"}
        reporting = {"log_every": 1}
        recipe = Recipe(**stages, data=folder / "text.txt", training=training, machine=machine, reporting=reporting, **start)
        return run(recipe, out=folder / name, observers=())

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(folder / "cache"))
        yield train


def losses(done, name):
    steps = [line for line in done.metrics if line["kind"] == "step"]
    return [step["metrics"][name] if name else step["loss"] for step in steps]


@pytest.mark.parametrize("model", ["rnn", "gpt"])
def test_any_model_that_learns_gets_the_heads(trained, model):
    multi = trained(Choice("multi-token", n=3), f"{model}-multi", model)
    plain = trained("next-token", f"{model}-plain", model)
    assert losses(multi, "token-1")[0] == pytest.approx(losses(plain, "")[0])  # the same weights at the start
    saved = open_run(multi.folder, device="cpu")
    heads = [parameter for name, parameter in saved.model.named_parameters() if name.startswith("heads_ahead.")]
    assert len(heads) == 2 and all(bool(head.any()) for head in heads)
    assert saved.generate("1 eel", max_tokens=4) is not None


def test_a_run_goes_on_from_one_without_heads_and_back(trained, tmp_path):
    base = trained("next-token", "base", "rnn")
    multi = trained(Choice("multi-token", n=2), "then-multi", "rnn", start={"run": str(base.folder)})
    back = trained("next-token", "and-back", "rnn", start={"run": str(multi.folder)})
    names = [name for name, _ in open_run(back.folder, device="cpu").model.named_parameters()]
    assert not [name for name in names if name.startswith("heads_ahead.")]


def test_a_model_that_counts_has_no_heads_to_train(trained):
    with raises_code("ahead-not-learned"):
        trained("multi-token", "counted", "ngram")
