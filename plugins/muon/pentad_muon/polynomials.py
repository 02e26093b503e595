"""Polar Express: the quintic polynomials a x + b x^3 + c x^5 that bring singular values near 1 in the fewest steps.

Amsel et al., The Polar Express: Optimal Matrix Sign Methods and Their Application to the Muon Algorithm, 2025. Each polynomial
is the best for the interval to which those before it have brought the singular values: its largest error there is the least
that an odd quintic can have. So is that of all of them together, for their number.
"""

from __future__ import annotations

import functools
import math

import torch

Polynomial = tuple[float, float, float]
"""a, b, c."""

_LOWEST = {1: 0.1, 2: 0.03, 3: 0.01, 4: 0.003}
"""The least singular value that so many steps are made for, as a share of the matrix's norm.

Made for less, few steps would leave the large values, which count most, between 0.1 and 1.9. Chosen by how near they bring the
momenta of a small model to orthogonal matrices (benchmarks/LOG.md).
"""

_LOWEST_OTHERWISE = 1e-3  # the paper's

_CUSHION = 0.02407327424182761
"""No polynomial is made for smaller values than this share of the largest: it would grow too slowly in between. The paper's."""

_SAFETY = 1.01
"""Divides what goes into each, so that no value is rounded up to where a polynomial grows without end. The paper's."""

_CONVERGED = 5e-6

_LIMIT: Polynomial = (1.875, -1.25, 0.375)
"""What the best polynomials come to near 1: that of Newton and Schulz."""


@functools.cache
def polar_express(steps: int) -> tuple[Polynomial, ...]:
    """Return a polynomial for each step, for matrices that were divided by their Frobenius norm.

    For five and more these are the values of the paper's Algorithm 1. What it adds to the norm for safety is in the first one.
    """
    lowest = _LOWEST.get(steps, _LOWEST_OTHERWISE)
    found = [_scaled(polynomial, _SAFETY) for polynomial in _optimal(lowest, steps)]
    found += [_LIMIT] * (steps - len(found))
    return (_scaled(found[0], _SAFETY), *found[1:])


def _optimal(low: float, steps: int) -> list[Polynomial]:
    """Return the polynomials of the paper's offline stage for [low, 1], up to where they hardly change any more."""
    high, found = 1.0, list[Polynomial]()
    while len(found) < steps and high - low > _CONVERGED * high:
        polynomial = _best(max(low, _CUSHION * high), high)
        centred = 2 / (_value(polynomial, low) + _value(polynomial, high))
        a, b, c = (coefficient * centred for coefficient in polynomial)
        found.append((a, b, c))
        low = _value((a, b, c), low)
        high = 2 - low
    return found


def _best(low: float, high: float) -> Polynomial:
    """Return the odd quintic whose largest distance from 1 on [low, high] is the least, by Remez's algorithm.

    Its errors at the two ends and at its two turns are equal and alternate in sign.
    """
    first, second = (3 * low + high) / 4, (low + 3 * high) / 4
    for _ in range(100):
        rows = [[x, x**3, x**5, sign] for x, sign in ((low, 1), (first, -1), (second, 1), (high, -1))]
        a, b, c, _ = torch.linalg.solve(torch.tensor(rows, dtype=torch.float64), torch.ones(4, dtype=torch.float64)).tolist()
        root = math.sqrt(9 * b * b - 20 * a * c)
        before = first, second
        first, second = math.sqrt((-3 * b - root) / (10 * c)), math.sqrt((-3 * b + root) / (10 * c))
        if abs(first - before[0]) + abs(second - before[1]) < 1e-14:
            break
    return a, b, c


def _value(polynomial: Polynomial, x: float) -> float:
    a, b, c = polynomial
    return a * x + b * x**3 + c * x**5


def _scaled(polynomial: Polynomial, divisor: float) -> Polynomial:
    """Return the polynomial of x / divisor."""
    a, b, c = polynomial
    return a / divisor, b / divisor**3, c / divisor**5
