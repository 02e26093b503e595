"""The contract of models, and what minLSTM does beyond it."""

from __future__ import annotations

import torch

from pentad.testing import ModelConformance
from pentad_minlstm.model import MinLSTM, Recurrence, positive
from pentad_minlstm.options import MinLSTMOptions


class TestMinLSTM(ModelConformance):
    """Every check of the contract, one test each."""

    name = "minlstm"
    options = {"n_layer": 2, "n_embd": 16}


class TestNarrowWithDropout(ModelConformance):
    """The same with a state that is narrower than the features, and dropout."""

    name = "minlstm"
    options = {"n_layer": 1, "n_embd": 16, "expansion": 0.5, "mlp_ratio": 1.0, "dropout": 0.1}


def test_is_the_papers_loop() -> None:
    """Feng et al., 2024, one token after another: f and i as shares of their sum, and a candidate that is positive."""
    torch.manual_seed(0)
    layer = Recurrence(6, 4)
    x, state, expected = torch.randn(2, 9, 6), torch.rand(2, 4), []
    found, after = layer(x, state, None)
    for token in x.unbind(1):
        forget, take, candidate = layer.gates_and_candidate(token).chunk(3, dim=-1)
        forget, take = forget.sigmoid(), take.sigmoid()
        state = forget / (forget + take) * state + take / (forget + take) * positive(candidate)
        expected.append(layer.output(state))
    torch.testing.assert_close(found, torch.stack(expected, dim=1))
    torch.testing.assert_close(after, state)


def test_the_state_does_not_grow() -> None:
    model = MinLSTM(MinLSTMOptions(n_layer=2, n_embd=8), vocab_size=11).eval()
    state = model.initial_state(3, 1000)
    for _ in range(3):
        state = model(torch.randint(11, (3, 5)), state).state
        assert [tuple(layer.shape) for layer in state] == [(3, 12), (3, 12)]
