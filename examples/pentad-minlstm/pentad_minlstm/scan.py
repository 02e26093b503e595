"""The recurrence h[t] = a[t] h[t-1] + b[t] for all t at once: Hillis and Steele, Data Parallel Algorithms, 1986.

In log2(T) steps every position takes in what stands 1, 2, 4, ... places before it. The paper's scan works on logarithms; this
one does not: its gates lie between 0 and 1, so no product of them overflows, and a gate of exactly 0 forgets exactly, which
keeps documents apart.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def scan(a: Tensor, b: Tensor) -> Tensor:
    """Return h (B, T, H) with h[t] = a[t] h[t-1] + b[t], and 0 before the first.

    Args:
        a: (B, T, H), what is kept of the state, between 0 and 1.
        b: (B, T, H), what is added.
    """
    length, distance = b.shape[1], 1
    while distance < length:
        b = b + a * _later(b, distance)
        a = a * _later(a, distance)  # 0 for the first positions, whose sums are whole
        distance *= 2
    return b


def _later(x: Tensor, distance: int) -> Tensor:
    """Move (B, T, H) to later positions; zeros come in at the start."""
    return F.pad(x[:, :-distance], (0, 0, distance, 0))
