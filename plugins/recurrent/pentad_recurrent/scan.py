"""The recurrence h[t] = a[t] h[t - 1] + b[t] for all t of a row, in about 2 sqrt(T) steps.

A row is cut into sqrt(T) chunks. All chunks go through their tokens side by side from a state of zeros; then the states pass
from chunk to chunk, and each token takes its part of the state before its chunk (Blelloch, Prefix Sums and Their Applications,
1990, for the general form). The gradient is the same recurrence from the end, so a training keeps only `a` and `h`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def scan(a: Tensor, b: Tensor, before: Tensor) -> Tensor:
    """Return h (B, T, S).

    Args:
        a: (B, T, S), what is kept of the state, from 0 to 1.
        b: (B, T, S), what is added.
        before: (B, S), the state before the first token.
    """
    first = torch.addcmul(b[:, :1], a[:, :1], before[:, None])
    states: Tensor = _Scan.apply(a, torch.cat([first, b[:, 1:]], dim=1))  # type: ignore[no-untyped-call]
    return states


class _Scan(torch.autograd.Function):
    """From a state of zeros."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        """Return h (B, T, S) of a and b (B, T, S)."""
        states = _scanned(a, b)
        ctx.save_for_backward(a, states)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of a and b: that of b[t] is that of h[t] and a[t + 1] times that of b[t + 1]."""
        a, states = ctx.saved_tensors
        later = F.pad(a[:, 1:], (0, 0, 0, 1))
        of_b = _scanned(later.flip(1), gradients[0].flip(1)).flip(1)
        return of_b * F.pad(states[:, :-1], (0, 0, 1, 0)), of_b


def _scanned(a: Tensor, b: Tensor) -> Tensor:
    rows, length, width = b.shape
    size = max(1, math.isqrt(length))
    a, b = (F.pad(x, (0, 0, 0, -length % size)).view(rows, -1, size, width) for x in (a, b))  # (B, N, C, S)
    states, products = [b[:, :, 0]], [a[:, :, 0]]  # of each token, from the start of its chunk: (B, N, S)
    for place in range(1, size):
        states.append(torch.addcmul(b[:, :, place], a[:, :, place], states[-1]))
        products.append(a[:, :, place] * products[-1])
    state, entering = torch.zeros_like(b[:, 0, 0]), []  # (B, S)
    for chunk in range(a.shape[1]):
        entering.append(state)
        state = torch.addcmul(states[-1][:, chunk], products[-1][:, chunk], state)
    came = torch.stack(entering, dim=1)  # (B, N, S)
    whole = [torch.addcmul(own, product, came) for own, product in zip(states, products, strict=True)]
    return torch.stack(whole, dim=2).view(rows, -1, width)[:, :length]
