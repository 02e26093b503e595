"""The scan is the loop, in fp64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pentad_recurrent.scan import scan


def drawn(length: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(length)
    a, b = torch.rand(2, 2, length, 3, generator=generator, dtype=torch.float64)
    a[0, length // 2] = 0.0
    return a, b, torch.rand(2, 3, generator=generator, dtype=torch.float64)


def loop(a: Tensor, b: Tensor, before: Tensor) -> Tensor:
    states = []
    for t in range(a.shape[1]):
        before = a[:, t] * before + b[:, t]
        states.append(before)
    return torch.stack(states, dim=1)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 16, 33])
def test_equals_the_loop_and_so_do_its_gradients(length: int) -> None:
    given = [tensor.requires_grad_() for tensor in drawn(length)]
    weights = torch.rand(2, length, 3, dtype=torch.float64)
    results = []
    for way in (scan, loop):
        states = way(*given)
        results.append((states, *torch.autograd.grad((states * weights).sum(), given)))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_gradients_of_gradients_are_right() -> None:
    assert torch.autograd.gradgradcheck(
        scan, [tensor[:, :5].requires_grad_() if tensor.ndim == 3 else tensor for tensor in drawn(6)]
    )


def test_what_is_kept_of_0_forgets_exactly() -> None:
    a, b, before = drawn(9)
    a[:, 4] = 0.0
    changed = b.clone()
    changed[:, :4] = 1e200
    assert torch.equal(scan(a, b, before)[:, 4:], scan(a, changed, before)[:, 4:])


def test_long_rows_stay_as_exact_as_short_ones() -> None:
    a, b, before = (tensor.float() for tensor in drawn(5000))
    torch.testing.assert_close(scan(a, b, before), loop(a.double(), b.double(), before.double()).float(), rtol=1e-5, atol=1e-6)
