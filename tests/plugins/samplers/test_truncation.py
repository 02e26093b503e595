"""Golden: transformers' own processors on the same logits. By hand and as a property where it has none."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation import logits_process as peers

NONE = torch.zeros(1, 0, dtype=torch.int64)

PEERS = {
    "temperature": ("temperature", peers.TemperatureLogitsWarper, (0.2, 0.7, 3.0)),
    "top-k": ("k", peers.TopKLogitsWarper, (1, 10, 200)),
    "top-p": ("p", peers.TopPLogitsWarper, (0.05, 0.5, 0.95)),
    "min-p": ("p", peers.MinPLogitsWarper, (0.01, 0.1, 0.9)),
    "typical": ("mass", peers.TypicalLogitsWarper, (0.2, 0.5, 0.9)),
    "epsilon": ("epsilon", peers.EpsilonLogitsWarper, (0.0003, 0.01, 0.2)),
    "eta": ("epsilon", peers.EtaLogitsWarper, (0.0003, 0.002, 0.1)),
}


@pytest.fixture(scope="module")
def probabilities(sampler):
    return lambda name, row, **options: sampler(name, **options).probabilities(torch.tensor([row]), NONE)[0]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, (*_, values) in PEERS.items() for value in values])
def test_as_in_transformers(name, value, logits, sampler):
    option, peer, _ = PEERS[name]
    found = sampler(name, **{option: value}).probabilities(logits, NONE)
    assert torch.allclose(found, peer(value)(None, logits).softmax(dim=-1), atol=1e-6)
    assert (found == 0).any() or name == "temperature"


@pytest.mark.parametrize("temperature", [0.6, 1.7])
@pytest.mark.parametrize("name", ["top-k", "top-p", "min-p", "temperature+min-p"])
def test_temperature_comes_where_transformers_has_it(name, temperature, logits, sampler):
    """Before the cut, but for min-p by itself, whose share is of the model's own probabilities; a chain has it as they do."""
    own = name.rpartition("+")[2]
    option, peer, (_, value, _) = PEERS[own]
    warm, cut = peers.TemperatureLogitsWarper(temperature), peer(value)
    if "+" in name:
        found = sampler(name, **{f"{own}.{option}": value, "temperature.temperature": temperature})
    else:
        found = sampler(name, **{option: value, "temperature": temperature})
    first, second = (cut, warm) if name == "min-p" else (warm, cut)
    expected = second(None, first(None, logits)).softmax(dim=-1)
    assert torch.allclose(found.probabilities(logits, NONE), expected, atol=1e-6)


def test_the_typical_token_need_not_be_the_likeliest(probabilities):
    row = [math.log(p) for p in (0.4, *[0.05] * 12)]  # the entropy is 2.16 nats; 0.4 says 0.92, 0.05 says 3.0 each
    assert probabilities("typical", row, mass=0.3)[0] == 0
    assert probabilities("typical", row, mass=0.9)[0] > 0


def test_top_n_sigma_by_hand(probabilities):
    row = [4.0, 3.0, 2.0, 1.0, 0.0, -math.inf]  # the deviation of those that are possible is the square root of 2
    for n, kept in ((0, 1), (0.7, 1), (0.71, 2), (1.42, 3), (2.83, 5)):
        found = probabilities("top-n-sigma", row, n=n)
        assert torch.allclose(found, torch.tensor([*row[:kept], *[-math.inf] * (6 - kept)]).softmax(dim=0))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 99), n=st.floats(0.1, 3), temperature=st.floats(0.2, 5))
def test_top_n_sigma_keeps_the_same_tokens_at_any_temperature(sampler, seed, n, temperature):
    row = torch.randn(1, 50, generator=torch.Generator().manual_seed(seed))
    made = sampler("top-n-sigma", n=n)
    kept, other = (made.probabilities(rows, NONE) > 0 for rows in (row, row / temperature))
    assert torch.equal(kept, other)


def test_xtc_by_hand(probabilities):
    row = [math.log(p) for p in (0.5, 0.3, 0.15, 0.05)]
    mixed = torch.tensor([0.5 * 0.5, 0.5 * 0.3, 0.5 * 0.15 + 0.5 * 0.75, 0.5 * 0.05 + 0.5 * 0.25])
    assert torch.allclose(probabilities("xtc", row, threshold=0.1, probability=0.5), mixed)
    assert torch.allclose(probabilities("xtc", row, threshold=0.1, probability=1), torch.tensor([0, 0, 0.75, 0.25]))
    assert torch.allclose(probabilities("xtc", row, threshold=0.4, probability=1), torch.tensor(row).exp())  # a single one
    assert torch.allclose(probabilities("xtc", row, threshold=0.6, probability=1), torch.tensor(row).exp())  # none


def test_xtc_draws_what_a_coin_in_front_would(probabilities):
    """The mixture of two distributions is that of a coin, and then of a draw from one of them."""
    row = torch.randn(20, generator=torch.Generator().manual_seed(1)) * 2
    plain, without = (probabilities("xtc", row.tolist(), probability=p) for p in (0.0, 1.0))
    assert int((without == 0).sum()) > 0
    assert torch.allclose(probabilities("xtc", row.tolist(), probability=0.3), 0.7 * plain + 0.3 * without, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(["typical", "epsilon", "eta", "top-n-sigma"]), seed=st.integers(0, 99), boldness=st.floats(0.01, 20)
)
def test_what_stays_keeps_its_proportions(sampler, name, seed, boldness):
    row = boldness * torch.randn(1, 30, generator=torch.Generator().manual_seed(seed))
    found, whole = sampler(name).probabilities(row, NONE)[0], row.double().softmax(dim=-1)[0]
    kept = found > 0
    assert torch.allclose(found[kept].double(), whole[kept] / whole[kept].sum(), atol=1e-4)
