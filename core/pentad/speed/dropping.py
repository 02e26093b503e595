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
    if x.device.type != "cpu":  # a GPU does it in one pass
        return F.dropout(x, rate)
    dropped = min(max(round(rate * _VALUES), 1), _VALUES - 1)  # of the numbers that may be drawn
    scale = _VALUES / (_VALUES - dropped)
    if (
        torch.compiler.is_compiling()
    ):  # which would draw for each element by itself; the products it joins to what is beside them
        kept: Tensor = torch.ops.pentad.kept(x, dropped)
        return x * (kept.to(x.dtype) * scale)
    return _Dropout.apply(x, dropped, scale)  # type: ignore[no-any-return, no-untyped-call]


def _kept(x: Tensor, dropped: int) -> Tensor:
    """Return 1 for what is kept and 0 for what is dropped, in int8 of the shape of x."""
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    numbers = draws.view(torch.int16)[: x.numel()].view(x.shape)
    first = dropped - _VALUES // 2  # the first of the numbers that mean to keep
    return numbers.clamp_(first - 1, first).sub_(first - 1).to(torch.int8)


_LIBRARY = torch.library.Library("pentad", "DEF")
"""What a compiler takes as it is, without looking into it."""
_LIBRARY.define("kept(Tensor x, int dropped) -> Tensor", tags=(torch.Tag.nondeterministic_seeded,))
_LIBRARY.impl("kept", _kept, "CPU")


@torch.library.register_fake("pentad::kept", lib=_LIBRARY)  # type: ignore[untyped-decorator]
def _shape_of_kept(x: Tensor, dropped: int) -> Tensor:
    return torch.empty(x.shape, dtype=torch.int8, device=x.device)


class _Dropout(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dropped: int, scale: float) -> Tensor:
        kept, ctx.scale = _kept(x, dropped), scale
        ctx.save_for_backward(kept)
        return _scaled(x, kept, ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return _scaled(gradient, kept, ctx.scale), None, None


def _scaled(x: Tensor, kept: Tensor, scale: float) -> Tensor:
    return torch.addcmul(x.new_zeros(()), x, kept.to(x.dtype), value=scale)
