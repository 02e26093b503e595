"""The quintic polynomials a x + b x^3 + c x^5 by which singular values come near 1, one for each step."""

from __future__ import annotations

from itertools import repeat

Polynomial = tuple[float, float, float]
"""a, b, c."""

_POLAR_EXPRESS: tuple[Polynomial, ...] = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
)
"""Of the paper's Algorithm 1: each is the best for where the one before it leaves singular values of 0.001 to 1."""

_LIMIT: Polynomial = (1.875, -1.25, 0.375)

_SAFETY = 1.01
"""Divides what goes into each, so that no value is rounded up to where a polynomial grows without end; the paper's too."""


def polar_express(steps: int) -> list[Polynomial]:
    """Return the polynomials of Amsel et al., The Polar Express, 2025, for matrices divided by their Frobenius norm.

    The best error after any number of steps comes from the first of them; after five, values between 0.001 and 1 are within
    0.14 of 1.
    """
    safe = [(a / _SAFETY, b / _SAFETY**3, c / _SAFETY**5) for a, b, c in _POLAR_EXPRESS]
    a, b, c = safe[0]
    first = (a / _SAFETY, b / _SAFETY**3, c / _SAFETY**5)  # the paper makes the norm larger by as much
    return [first, *safe[1:], *repeat(_LIMIT, max(0, steps - len(safe)))][:steps]
