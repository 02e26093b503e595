"""A training that cannot fit is refused before anything of its size is allocated."""

from __future__ import annotations

import pytest
import torch

from pentad import Catalogue, Choice, Recipe, plan
from pentad.system.machine import peak_memory
from pentad.testing import raises_code
from pentad.train import memory
from pentad.train.memory import Sizes, refuse_large_batch, refuse_large_model, sizes_of

CPU = torch.device("cpu")
HUGE = Choice("gpt", n_layer=96, n_embd=12288, n_head=96)  # GPT-3 (Brown et al., 2020): 174 billion parameters


def recipe(model, **training):
    return Recipe(
        tokenizer="byte",
        builder="next-token",
        model=model,
        optimizer="adamw",
        sampler="greedy",
        data="python-docs",
        training={"steps": 1, **training},
        machine={"device": "cpu", "precision": "fp32", "threads": 1},
    )


def test_a_model_that_cannot_fit_is_refused_without_being_made():
    before = peak_memory()
    with raises_code("model-too-large") as caught:
        plan(recipe(HUGE), catalogue=Catalogue())
    assert peak_memory() - before < 2 << 30
    assert "173.9" in caught.value.message


def test_a_batch_that_cannot_fit_is_refused():
    with raises_code("batch-too-large") as caught:
        plan(recipe(Choice("gpt", n_layer=1), batch_size=1_000_000, context_length=256), catalogue=Catalogue())
    assert "--gradient-accumulation" in caught.value.hint


def test_sizes_are_those_of_the_model_and_its_optimizer(fakes):
    found = sizes_of(lambda: fakes.Summing(11, 8), lambda named: adamw(fakes, named))
    weights = 4 * sum(parameter.numel() for parameter in fakes.Summing(11, 8).parameters())
    assert found.weights == weights
    assert 2 * weights <= found.state < 2 * weights + 100  # two moments, and a step count each
    assert sizes_of(lambda: fakes.Summing(11, 8), lambda named: adamw(fakes, named), free=1e12).state == 0


def adamw(fakes, named):
    optimization = fakes.sgd(fakes.Summing(11, 8))
    optimization.optimizers = [torch.optim.AdamW([each.parameter for each in named])]
    return optimization


def test_a_model_that_computes_with_values_is_left_to_itself():
    def make():
        return torch.nn.Embedding(3, int(torch.ones(1).item()))

    assert sizes_of(make, lambda named: None) is None
    refuse_large_model(None, CPU)


@pytest.mark.parametrize(("free", "refused"), [(99, True), (100, False), (0, False)])
def test_what_is_refused(free, refused, monkeypatch):
    """Nothing, where the system does not say how much is free."""
    monkeypatch.setattr(memory, "available_memory", lambda: free)
    sizes = Sizes(n_parameters=5, weights=20, state=40)
    for check in (lambda: refuse_large_model(sizes, CPU), lambda: refuse_large_batch(100, 50, CPU)):
        if refused:
            with pytest.raises(Exception, match="GB"):
                check()
        else:
            check()
