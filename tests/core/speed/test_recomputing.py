"""Blocks that are computed again in the backward pass: the same training in less memory."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pentad import Catalogue, Choice, make, plan, resume, run
from pentad.speed.recomputing import recompute_blocks
from pentad.testing import raises_code

MODELS = {
    "gpt": Choice("gpt", n_layer=3, n_head=2, n_embd=16, dropout=0.3, zero_init_projections=False),
    "experts": Choice("gpt", n_layer=2, n_head=2, n_embd=16, n_expert=3, dropout=0.3, zero_init_projections=False),
    "retnet": Choice("retnet", n_layer=2, n_head=2, n_embd=16),
}
DEEP = Choice("gpt", n_layer=6, n_head=2, n_embd=32)


def gradients(model):
    torch.manual_seed(1)
    inputs = torch.arange(48).view(2, 24) % 11
    output = model.train()(inputs)
    (model.logits(output.features).square().sum() + sum(output.losses.values())).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_those_of_kept_activations_bit_for_bit(name):
    torch.manual_seed(0)
    kept = make("model", MODELS[name], vocab_size=11, context_length=24)
    recomputed = copy.deepcopy(kept)
    calls = []
    for block in recomputed.blocks():
        first = next(part for part in block.modules() if not list(part.children()))
        first.register_forward_hook(lambda *_: calls.append(1))
    recompute_blocks(recomputed)
    recompute_blocks(recomputed)  # once is enough
    expected, found = gradients(kept), gradients(recomputed)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert len(calls) == 2 * len(recomputed.blocks()), "each block is computed twice"


def test_a_copy_recomputes_its_own_blocks():
    original = make("model", MODELS["gpt"], vocab_size=11, context_length=24)
    recompute_blocks(original)
    copied = copy.deepcopy(original)
    gradients(copied)
    assert all(parameter.grad is None for parameter in original.parameters())
    assert all(parameter.grad is not None for parameter in copied.parameters())


@pytest.mark.usefixtures("cache")
def test_the_plan_foresees_less_memory_and_the_same_arithmetic(text, tiny_recipe, monkeypatch):
    monkeypatch.setattr("pentad.train.estimate.peak_memory", lambda: 0)  # of all tests before this one
    monkeypatch.setattr("pentad.train.evaluating.peak_memory", lambda: 0)
    training = {"batch_size": 32, "context_length": 32, "gradient_accumulation": 1}

    def planned(again):
        return plan(tiny_recipe(text, model=DEEP, training=training, machine={"recompute": again}))

    needs = []
    monkeypatch.setattr("pentad.train.estimate.refuse_large_batch", lambda n_bytes, *_: needs.append(n_bytes))
    kept, recomputed = planned(False), planned(True)
    assert needs[1] < 0.5 * needs[0], "a step that is refused fits with it"
    features = 4 * 32 * 32 * 32  # bytes of what one layer gives; inside it keeps ten times as much at the least
    assert kept.memory_bytes - recomputed.memory_bytes > 5 * 8 * features
    assert kept.flops_per_step == recomputed.flops_per_step and kept.steps == recomputed.steps


@pytest.mark.usefixtures("cache")
def test_a_run_that_recomputes_is_the_run_that_keeps(text, tiny_recipe, tmp_path):
    for again in (False, True):
        run(tiny_recipe(text, 4, model=MODELS["gpt"], machine={"recompute": again}), out=tmp_path / str(again))
    kept, recomputed = (load_file(tmp_path / str(again) / "checkpoints/step-4/model.safetensors") for again in (False, True))
    assert kept.keys() == recomputed.keys() and all(torch.equal(kept[name], recomputed[name]) for name in kept)
    assert np.isfinite(resume(tmp_path / "True", steps=5).bits_per_byte)


@pytest.mark.usefixtures("cache")
def test_a_model_without_blocks_says_so(text, tiny_recipe):
    with raises_code("recompute-unsupported"):
        plan(tiny_recipe(text, model=Choice("rnn", n_embd=8), machine={"recompute": True}), catalogue=Catalogue())
