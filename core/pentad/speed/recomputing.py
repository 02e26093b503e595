"""Activations that are computed again in the backward pass instead of kept (Chen et al., Sublinear Memory Cost, 2016).

Between the forward and the backward pass a model keeps what each of its layers needs for the gradient; for a small machine
that is most of the memory. Here a block keeps its inputs alone, and is computed once more when its gradient is due: a third
more arithmetic, the same gradients bit for bit (dropout draws what it drew).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from pentad.contracts.model import Model
from pentad.system.errors import UsageError


def recompute_blocks(model: Model) -> None:
    """Let each block of a model keep its inputs alone in training."""
    for block in model.blocks():
        if not isinstance(vars(block).get("forward"), _Recomputed):
            block.forward = _Recomputed(block)


def refuse_without_blocks(model: Model, name: str) -> None:
    """Make sure that a model says what can be recomputed.

    Raises:
        UsageError: it names no blocks.
    """
    if not model.blocks():
        raise UsageError(
            f"--recompute needs a model that names its blocks; {name} names none.",
            "Leave it out; --gradient-accumulation saves memory with every model.",
            code="recompute-unsupported",
        )


class _Recomputed:
    """The forward pass of a block; a class and no closure, so that a copy of the model computes with the copied block."""

    def __init__(self, block: nn.Module) -> None:
        self.block = block

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return type(self.block).forward(self.block, *inputs, **named)
        return checkpoint(type(self.block).forward, self.block, *inputs, use_reentrant=False, **named)
