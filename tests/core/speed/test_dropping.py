"""Dropout: how much is dropped, what the rest is multiplied by, and that the gradient takes the same way."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pentad.tools import dropout

MILLION = 2**20


@pytest.mark.parametrize("rate", [0.002, 0.1, 0.2, 0.5, 0.9])
def test_the_rate_is_dropped_and_the_mean_stays(rate):
    torch.manual_seed(0)
    dropped = dropout(torch.ones(MILLION), rate, training=True)
    assert stats.binomtest(int((dropped == 0).sum()), MILLION, rate).pvalue > 1e-4
    (kept,) = dropped[dropped != 0].unique().tolist()
    assert kept == pytest.approx(1 / (1 - rate), rel=1e-3)


def test_elements_are_dropped_independently_of_those_beside_them():
    torch.manual_seed(0)
    kept = (dropout(torch.ones(MILLION // 4, 4), 0.3, training=True) != 0).long()
    patterns = (kept * torch.tensor([1, 2, 4, 8])).sum(dim=1).bincount(minlength=16)  # of the four that share a draw
    expected = [0.7 ** bin(p).count("1") * 0.3 ** (4 - bin(p).count("1")) * MILLION / 4 for p in range(16)]
    assert stats.chisquare(patterns.numpy(), expected).pvalue > 1e-4


@given(shape=st.lists(st.integers(0, 5), max_size=4), rate=st.floats(0.01, 0.99), seed=st.integers(0, 2**31))
def test_the_gradient_takes_the_way_of_the_output(shape, rate, seed):
    x = torch.randn(shape, dtype=torch.float64).add(3).requires_grad_()
    torch.manual_seed(seed)
    y = dropout(x, rate, training=True)
    y.sum().backward()
    assert torch.allclose(y, x.detach() * x.grad)
    torch.manual_seed(seed)
    assert torch.equal(dropout(x.detach(), rate, training=True), y.detach())  # the same draws, without a gradient


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_number_format_stays(dtype):
    x = torch.ones(3, 4, dtype=dtype).mT.requires_grad_()
    y = dropout(x, 0.5, training=True)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype, y.shape) == (dtype, dtype, x.shape)
    assert set(y.unique().tolist()) <= {0.0, 2.0}


def test_outside_of_training_and_at_rate_0_nothing_happens():
    x, state = torch.ones(8), torch.get_rng_state()
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_compiler_drops_the_same_elements_and_draws_as_many_numbers(dtype):
    """By all that torch's compiler does before it writes C++."""
    weight = torch.randn(8, 12, dtype=dtype)

    def layer(x):
        return torch.relu(dropout(x @ weight, 0.3, training=True))

    def passed(layer):
        x = torch.randn(16, 8, dtype=dtype, generator=torch.Generator().manual_seed(1)).requires_grad_()
        torch.manual_seed(0)
        y = layer(x)
        y.sum().backward()
        return y.detach(), x.grad, torch.get_rng_state()

    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for _ in range(2):  # compiled, and then as it was compiled
        for found, expected in zip(passed(compiled), passed(layer), strict=True):
            torch.testing.assert_close(found, expected)
    assert not torch.equal(compiled(torch.ones(16, 8, dtype=dtype)), compiled(torch.ones(16, 8, dtype=dtype)))


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_rate_out_of_bounds_is_refused(rate):
    with pytest.raises(ValueError, match="rate"):
        dropout(torch.ones(8), rate, training=True)
