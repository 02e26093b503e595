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


def test_the_values_are_those_of_the_paper():
    # Amsel et al. 2025, Algorithm 1, which divides each by 1.01 but the eighth, and the norm too.
    published = [
        (8.28721201814563, -23.595886519098837, 17.300387312530933),
        (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
        (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
        (3.3184196573706015, -2.488488024314874, 0.51004894012372),
        (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
        (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
        (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    ]
    for found, expected in zip(without_safety(polar_express(7)), published, strict=True):
        assert found == pytest.approx(expected, rel=1e-7)
    assert polar_express(5) == polar_express(20)[:5]
    assert polar_express(20)[7:] == ((1.875, -1.25, 0.375),) * 13


@pytest.mark.parametrize(("steps", "low"), [(1, 0.1), (2, 0.03), (3, 0.01), (4, 0.003), (5, 0.001), (7, 0.001)])
def test_each_polynomial_is_the_best_for_its_interval(steps, low):
    # An odd quintic is the best on [low, high] where its error is as large at both ends as at the two turns in between, with
    # changing sign (Chebyshev). The paper's polynomials are made for no smaller values than 0.024 of the largest.
    high = 1.0
    for polynomial in without_safety(polar_express(steps)):
        a, b, c = polynomial
        root = math.sqrt(9 * b * b - 20 * a * c)
        first, second = (math.sqrt((-3 * b + sign * root) / (10 * c)) for sign in (-1, 1))
        end = max(low, 0.02407327424182761 * high)
        assert low < end + 1e-12 and end < first < second < high
        assert at(polynomial, first) == pytest.approx(at(polynomial, high), abs=2e-6)
        assert at(polynomial, second) == pytest.approx(at(polynomial, end), abs=2e-6)
        assert at(polynomial, low) + at(polynomial, high) == pytest.approx(2, abs=2e-6)
        low, high = at(polynomial, low), at(polynomial, high)
    assert high - low < {1: 1.8, 2: 1.2, 3: 0.65, 4: 0.5, 5: 0.25, 7: 1e-5}[steps]


@pytest.mark.parametrize("polynomials", [[QUINTIC] * 5, [QUINTIC] * 3, polar_express(3), polar_express(5), polar_express(9)])
@pytest.mark.parametrize("shape", [(24, 24), (20, 90), (90, 20)])
@pytest.mark.parametrize("spread", [0.5, 2.0, 3.5])
def test_singular_values_go_through_the_polynomials(polynomials, shape, spread):
    generator = torch.Generator().manual_seed(0)
    u, _, v = torch.linalg.svd(torch.randn(2, *shape, generator=generator, dtype=torch.float64), full_matrices=False)
    values = torch.logspace(0, -spread, min(shape), dtype=torch.float64)
    matrices = ((u * values) @ v).float()
    expected = values / values.norm()
    for polynomial in polynomials:
        expected = at(polynomial, expected)
    found = orthogonalised(matrices, polynomials, 1e-7).double()
    wanted = (u * expected) @ v
    assert torch.linalg.matrix_norm(found - wanted, ord=2).max() < 5e-3


def cosine(values, polynomials):
    """Return how near an update is to the orthogonal matrix that it stands for."""
    found = torch.linalg.svdvals(orthogonalised(torch.diag(values)[None], polynomials, 1e-7))[0]
    return (found.sum() / (len(found) ** 0.5 * found.norm())).item()


def test_five_steps_are_nearer_than_the_quintic_and_four_nearly_as_near():
    # The quantiles of the singular values of Muon's momenta after 200 steps of a small model, the largest being 1.
    values = torch.tensor([0.01, 0.012, 0.015, 0.025, 0.038, 0.052, 0.07, 0.09, 0.114, 0.2, 0.4, 1.0])
    quintic = cosine(values, [QUINTIC] * 5)
    assert cosine(values, polar_express(5)) > quintic + 0.01
    assert cosine(values, polar_express(4)) > (quintic + cosine(values, [QUINTIC] * 4)) / 2
    assert cosine(values, polar_express(3)) > cosine(values, [QUINTIC] * 3)
