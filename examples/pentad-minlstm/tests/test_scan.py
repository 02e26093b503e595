"""The scan is the loop."""

from __future__ import annotations

import pytest
import torch

from pentad_minlstm.scan import scan


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 33])
def test_equals_the_loop(length: int) -> None:
    generator = torch.Generator().manual_seed(length)
    a, b = torch.rand(2, 2, length, 3, generator=generator, dtype=torch.float64)
    a[0, length // 2] = 0.0
    state, expected = torch.zeros(2, 3, dtype=torch.float64), []
    for t in range(length):
        state = a[:, t] * state + b[:, t]
        expected.append(state)
    assert torch.allclose(scan(a, b), torch.stack(expected, dim=1), rtol=1e-12)


def test_a_closed_gate_forgets_exactly() -> None:
    a, b = torch.full((1, 6, 1), 0.9), torch.ones(1, 6, 1)
    a[0, 3] = 0.0
    changed = b.clone()
    changed[0, :3] = 1e30
    assert torch.equal(scan(a, b)[0, 3:], scan(a, changed)[0, 3:])


def test_long_rows_stay_finite() -> None:
    a, b = torch.rand(1, 4096, 2), torch.rand(1, 4096, 2)
    assert scan(a, b).isfinite().all()
