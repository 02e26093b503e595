"""minGRU is the paper's, Feng et al., 2024: its equations token by token, and its sums of logarithms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pentad import Choice, Situation, Vocabulary, make, named_parameters
from pentad.testing.subjects import Bytes
from pentad_recurrent.mingru import MinGRUMixer, positive
from pentad_recurrent.mixers import Row
from pentad_recurrent.model import MinGRU
from pentad_recurrent.options import MinGRUOptions
from pentad_recurrent.sizing import advise, cost

LENGTH, WIDTH, STATE = 19, 6, 9


def mixer(conv_size: int = 1) -> MinGRUMixer:
    torch.manual_seed(0)
    made = MinGRUMixer(MinGRUOptions(n_embd=WIDTH, expansion=STATE / WIDTH, conv_size=conv_size))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_()
    return made


def token_by_token(made: MinGRUMixer, x: Tensor, opens: set[int]) -> list[list[float]]:
    """The states of one row x (T, D) by the paper's sequential mode (appendix B.3.1), in Python's floats."""
    (gate, gate_bias), (candidate, candidate_bias) = (
        (layer.weight.tolist(), layer.bias.tolist()) for layer in (made.gate, made.candidate)
    )

    def sigmoid(number: float) -> float:
        return 1 / (1 + math.exp(-number))

    h, states = [0.0] * STATE, []
    for t, features in enumerate(x.tolist()):
        if t in opens:
            h = [0.0] * STATE
        for unit in range(STATE):
            z = sigmoid(sum(w * v for w, v in zip(gate[unit], features, strict=True)) + gate_bias[unit])
            u = sum(w * v for w, v in zip(candidate[unit], features, strict=True)) + candidate_bias[unit]
            h[unit] = (1 - z) * h[unit] + z * (u + 0.5 if u >= 0 else sigmoid(u))
        states.append(list(h))
    return states


@torch.no_grad()
@pytest.mark.parametrize("opens", [set(), {3, 4, 12}], ids=["one document", "four documents"])
def test_is_the_papers_loop(opens: set[int]) -> None:
    made, x = mixer(), torch.randn(2, LENGTH, WIDTH)
    begins = torch.tensor([[t in opens for t in range(LENGTH)]] * 2)
    row = Row(0, begins.cumsum(1), begins) if opens else Row(0, None, None)
    found, (after,) = made(x, row, made.empty(2))
    states = torch.tensor([token_by_token(made, each, opens) for each in x])
    torch.testing.assert_close(found, states @ made.output.weight.T, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(after, states[:, -1], rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_is_the_papers_sum_of_logarithms() -> None:
    """Its parallel mode: log h is the sum of log(1 - z) up to a token, plus a running logsumexp of what was added since."""
    made, x, before = mixer().double(), torch.randn(2, LENGTH, WIDTH).double(), torch.rand(2, STATE).double()
    made.output = torch.nn.Identity()
    found, _ = made(x, Row(0, None, None), (before,))
    gate, candidate = made.gate(x), made.candidate(x)
    of_candidate = torch.where(candidate >= 0, (candidate.relu() + 0.5).log(), -F.softplus(-candidate))
    kept = F.pad(-F.softplus(gate).cumsum(1), (0, 0, 1, 0))
    added = torch.cat([before[:, None].log(), of_candidate - F.softplus(-gate)], dim=1)
    expected = (kept + (added - kept).logcumsumexp(1)).exp()[:, 1:]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_g_is_positive_and_smooth_at_zero() -> None:
    x = torch.tensor([-20.0, -1.0, -1e-4, 0.0, 1e-4, 3.0])
    assert (positive(x) > 0).all()
    assert positive(x)[2:5].tolist() == pytest.approx([0.499975, 0.5, 0.5001])
    assert positive(x)[5].item() == 3.5


def test_the_convolution_looks_at_the_last_tokens_alone() -> None:
    made, x = mixer(conv_size=3), torch.randn(1, LENGTH, WIDTH)
    seen: list[Tensor] = []
    made.gate.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach()))
    made(x, Row(0, None, None), made.empty(1))
    x[:, 5] += 1
    made(x, Row(0, None, None), made.empty(1))
    changed = (seen[0] != seen[1]).any(-1)[0].nonzero().flatten().tolist()
    assert changed == [5, 6, 7]


def test_the_state_does_not_grow_and_muon_has_the_matrices() -> None:
    model = MinGRU(MinGRUOptions(n_layer=2, n_embd=16), vocab_size=11).eval()
    state = model.initial_state(3, 5)
    for _ in range(3):
        state = model(torch.randint(11, (3, 40)), state).state
    assert [[tuple(part.shape) for part in block] for block in state.blocks] == [[(3, 24), (3, 3, 16)]] * 2
    optimization = make("optimizer", Choice("muon"), parameters=named_parameters(model))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    moved = {names[id(p)].split(".")[-2] for group in optimization.optimizers[0].param_groups for p in group["params"]}
    assert moved == {"gate", "candidate", "output", "up", "down"}


def test_what_it_costs_counts_its_matrices() -> None:
    options = MinGRUOptions(n_layer=3, n_embd=20, expansion=1.4)
    vocabulary = Vocabulary.of(Bytes())
    model = MinGRU(options, vocab_size=vocabulary.size)
    matrices = sum(model.get_parameter(name).numel() for name, role in model.roles().items() if role in ("matrix", "head"))
    assert cost(options, Situation(train_bytes=10**6, vocab_size=vocabulary.size)).parameters == matrices


def test_a_longer_budget_gets_a_larger_one() -> None:
    sizes = []
    for flops in (1e11, 1e13, 1e15):
        text = Situation(
            train_bytes=10**9, n_train_tokens=4 * 10**8, vocab_size=1024, flops=flops, open=frozenset(("n_layer", "n_embd"))
        )
        advice = advise(MinGRUOptions(), text)
        assert advice is not None and advice.values.keys() == {"n_layer", "n_embd"}
        sizes.append(advice.values["n_layer"] * advice.values["n_embd"] ** 2)
    assert sizes[0] < sizes[1] < sizes[2]
