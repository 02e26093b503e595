"""The contract of models, and what minGRU does beyond it."""

from __future__ import annotations

import torch

from pentad.testing import ModelConformance
from pentad_mingru.model import MinGRU
from pentad_mingru.options import MinGRUOptions


class TestMinGRU(ModelConformance):
    """Every check of the contract, one test each."""

    name = "mingru"
    options = {"n_layer": 2, "n_embd": 16}


class TestNarrowWithDropout(ModelConformance):
    """The same with a state that is narrower than the features, and dropout."""

    name = "mingru"
    options = {"n_layer": 1, "n_embd": 16, "expansion": 0.5, "mlp_ratio": 1.0, "dropout": 0.1}


def test_the_state_does_not_grow() -> None:
    model = MinGRU(MinGRUOptions(n_layer=2, n_embd=8), vocab_size=11).eval()
    state = model.initial_state(3, 1000)
    for _ in range(3):
        state = model(torch.randint(11, (3, 5)), state).state
        assert [tuple(layer.shape) for layer in state] == [(3, 12), (3, 12)]
