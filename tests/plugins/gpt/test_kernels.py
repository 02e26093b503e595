from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pentad_gpt.kernels import attend_by_products, gelu_tanh, norm_and_rotate, relu2, rms_norm, rotary_table, rotate, softcap


def test_rms_norm_and_its_gradient_are_torchs() -> None:
    x = torch.randn(3, 5, 8, requires_grad=True)
    weights = torch.randn_like(x)
    expected = F.rms_norm(x, (8,), eps=1e-6)
    torch.testing.assert_close(rms_norm(x), expected)
    (found,) = torch.autograd.grad((rms_norm(x) * weights).sum(), x)
    torch.testing.assert_close(found, torch.autograd.grad((expected * weights).sum(), x)[0])


def test_rms_norm_of_zeros_is_zero() -> None:
    x = torch.zeros(2, 8, requires_grad=True)
    rms_norm(x).sum().backward()
    assert not rms_norm(x).any() and x.grad.isfinite().all()


def test_relu2_and_its_gradient() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    relu2(x).sum().backward()
    assert relu2(x).tolist() == [0, 0, 9] and x.grad.tolist() == [0, 0, 6]


def test_gelu_tanh_is_torchs_compiled_or_not() -> None:
    x = torch.linspace(-12, 12, 1001).requires_grad_()
    weights = torch.randn_like(x)
    expected = F.gelu(x.double(), approximate="tanh")
    (by_torch,) = torch.autograd.grad((expected * weights.double()).sum(), x)
    for activation in (gelu_tanh, torch.compile(gelu_tanh, fullgraph=True, backend="aot_eager")):
        found = activation(x)
        torch.testing.assert_close(found.double(), expected, atol=2e-6, rtol=2e-6)
        torch.testing.assert_close(torch.autograd.grad((found * weights).sum(), x)[0], by_torch, atol=1e-5, rtol=1e-5)


def turned(x: Tensor, position: int, base: float) -> list[float]:
    """The textbook formula, pair by pair."""
    out: list[float] = []
    for pair in range(len(x) // 2):
        angle = position * base ** (-2 * pair / len(x))
        first, second = float(x[2 * pair]), float(x[2 * pair + 1])
        out += [
            first * math.cos(angle) - second * math.sin(angle),
            first * math.sin(angle) + second * math.cos(angle),
        ]
    return out


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 1e-6), (torch.bfloat16, 0.02)])
def test_norm_and_rotate_and_its_gradient_are_those_of_the_two(dtype: torch.dtype, bound: float) -> None:
    x = torch.randn(2, 5, 6, 8, dtype=dtype)[:, :, :3].requires_grad_()  # not in one piece, as it comes from a product
    rotation, weights = rotary_table(9, 8, 100.0)[4:, None], torch.randn(2, 5, 3, 8, dtype=dtype)
    found = norm_and_rotate(x, 1e-6, rotation)
    wide = x.detach().double().requires_grad_()
    expected = rotate(F.rms_norm(wide, (8,), eps=1e-6), rotation)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, atol=bound, rtol=bound)
    (gradient,) = torch.autograd.grad((found * weights).sum(), x)
    (by_hand,) = torch.autograd.grad((expected * weights.double()).sum(), wide)
    torch.testing.assert_close(gradient.double(), by_hand, atol=4 * bound, rtol=4 * bound)


def test_softcap_and_its_gradient() -> None:
    x, weights = torch.randn(4, 7, requires_grad=True), torch.randn(4, 7)
    found, expected = softcap(x, 5.0), 5.0 * torch.tanh(x)
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad((found * weights).sum(), x)
    torch.testing.assert_close(gradient, torch.autograd.grad((expected * weights).sum(), x)[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rotate_by_hand(dtype: torch.dtype) -> None:
    x = torch.randn(2, 5, 3, 8, dtype=dtype)
    found = rotate(x, rotary_table(9, 8, 100.0)[4:, None])
    for position in range(5):
        expected = torch.tensor(turned(x[1, position, 2], 4 + position, 100.0), dtype=dtype)
        torch.testing.assert_close(found[1, position, 2], expected, atol=1e-6, rtol=1e-5)


def test_products_of_rotated_vectors_depend_on_distance_only() -> None:
    query, key, table = torch.randn(8), torch.randn(8), rotary_table(32, 8, 10_000.0)[:, None]
    queries = rotate(query.expand(1, 32, 1, 8).contiguous(), table)[0, :, 0]
    keys = rotate(key.expand(1, 32, 1, 8).contiguous(), table)[0, :, 0]
    torch.testing.assert_close(queries[5] @ keys[2], queries[25] @ keys[22])


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("how", ["causal", "all", "one mask", "a mask for each row"])
def test_attention_by_products_is_torchs(how: str, kv_heads: int) -> None:
    torch.manual_seed(0)
    queries = torch.randn(3, 4, 6, 8, requires_grad=True)
    keys, values = (torch.randn(3, kv_heads, 6, 8, requires_grad=True) for _ in range(2))
    masks = torch.rand(1 if how == "one mask" else 3, 1, 6, 6) < 0.5
    mask = masks | torch.eye(6, dtype=torch.bool) if "mask" in how else None
    expected = F.scaled_dot_product_attention(
        queries, keys, values, attn_mask=mask, is_causal=how == "causal", enable_gqa=kv_heads != 4
    )
    bias = None if mask is None else torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
    found = attend_by_products(queries, keys, values, bias, how == "causal", 0.0)
    torch.testing.assert_close(found, expected)
    weights, inputs = torch.randn_like(expected), (queries, keys, values)
    gradients = [torch.autograd.grad((each * weights).sum(), inputs) for each in (found, expected)]
    torch.testing.assert_close(*gradients)
