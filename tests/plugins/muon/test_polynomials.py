"""Polar Express by what makes its polynomials the best, and the iteration against the singular values it shall have."""

from __future__ import annotations

import math

import pytest
import torch

from pentad_muon.batched import orthogonalised
from pentad_muon.polynomials import polar_express

QUINTIC = (3.4445, -4.7750, 2.0315)


def at(polynomial, x):
    a, b, c = polynomial
    return a * x + b * x**3 + c * x**5


def without_safety(polynomials):
    """Undo the division of what goes in by 1.01, and by as much again in the first step."""
    factors = [1.01**2, *[1.01] * (len(polynomials) - 1)]
    return [(a * f, b * f**3, c * f**5) for (a, b, c), f in zip(polynomials, factors, strict=True)]


def test_each_polynomial_is_the_best_for_its_interval():
    # An odd quintic is the best on [low, high] where its error is as large at both ends as at the two turns in between, with
    # changing sign (Chebyshev). The paper's intervals start at 0.001, and no narrower than 1 to 0.0240733 for the low end.
    low, high = 1e-3, 1.0
    for polynomial in without_safety(polar_express(7)):
        a, b, c = polynomial
        root = math.sqrt(9 * b * b - 20 * a * c)
        first, second = (math.sqrt((-3 * b + sign * root) / (10 * c)) for sign in (-1, 1))
        end = max(low, 0.02407327424182761 * high)
        assert low < end + 1e-12 and end < first < second < high
        assert at(polynomial, first) == pytest.approx(at(polynomial, high), abs=2e-6)
        assert at(polynomial, second) == pytest.approx(at(polynomial, end), abs=2e-6)
        assert at(polynomial, low) + at(polynomial, high) == pytest.approx(2, abs=2e-6)
        low, high = at(polynomial, low), at(polynomial, high)
    assert high - low < 1e-5


def test_the_values_are_those_of_the_paper():
    # Amsel et al. 2025, Algorithm 1; what stands there beside the safety factor, to seven digits.
    first, *_, fifth = without_safety(polar_express(5))
    assert first == pytest.approx((8.287212, -23.595887, 17.300387), rel=1e-6)
    assert fifth == pytest.approx((2.300652, -1.6689040, 0.4188073), rel=1e-6)


@pytest.mark.parametrize("steps", [1, 3, 5, 7, 12])
def test_as_many_polynomials_as_steps_and_the_first_of_them(steps):
    assert polar_express(steps) == polar_express(20)[:steps]
    assert polar_express(20)[7:] == [(1.875, -1.25, 0.375)] * 13


@pytest.mark.parametrize("polynomials", [[QUINTIC] * 5, [QUINTIC] * 3, polar_express(3), polar_express(5), polar_express(9)])
@pytest.mark.parametrize("shape", [(24, 24), (20, 90), (90, 20)])
@pytest.mark.parametrize("spread", [0.5, 2.0, 3.5])
@pytest.mark.parametrize("scale", [1.0, -0.3])
def test_singular_values_go_through_the_polynomials(polynomials, shape, spread, scale):
    generator = torch.Generator().manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(2, *shape, generator=generator, dtype=torch.float64), full_matrices=False)
    values = torch.logspace(0, -spread, min(shape), dtype=torch.float64)
    matrices = ((u * values) @ v).float()
    expected = values / values.norm()
    for polynomial in polynomials:
        expected = at(polynomial, expected)
    found = orthogonalised(matrices, polynomials, 1e-7, scale=scale).double()
    wanted = scale * (u * expected) @ v
    assert torch.linalg.matrix_norm(found - wanted, ord=2).max() < 5e-3 * abs(scale)


def test_five_steps_leave_less_than_the_quintic():
    matrix = torch.randn(1, 32, 64, generator=torch.Generator().manual_seed(0))
    errors = [
        (torch.linalg.svdvals(orthogonalised(matrix.clone(), polynomials, 1e-7)) - 1).abs().max().item()
        for polynomials in ([QUINTIC] * 5, polar_express(5))
    ]
    assert errors[1] < 0.14 < 0.25 < errors[0]
