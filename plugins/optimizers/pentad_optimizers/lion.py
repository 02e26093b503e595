"""Lion: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023.

The direction is the sign of beta1 m + (1 - beta1) g, and then m becomes beta2 m + (1 - beta2) g. Every entry moves by the
learning rate, so that it must be smaller than that of AdamW and weight decay larger: three to ten times, says the paper.

Written out, though pytorch-optimizer has it (a test holds the two equal): that library takes over a second to import beside
torch (benchmarks/LOG.md), and every start with it would, for a few lines of arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pentad import NamedParameter, Optimization, parameter_groups, schedule
from pentad_optimizers.groups import ByGroup
from pentad_optimizers.options import LionOptions


def lion(options: LionOptions, parameters: Sequence[NamedParameter]) -> Optimization:
    """Return Lion over all parameters, in a group for each role."""
    groups = parameter_groups(options, parameters)
    return Optimization(optimizers=[Lion(groups, options)] if groups else [], schedule=schedule(options))


class Lion(ByGroup):
    """Moves each entry by the learning rate, in the direction that a running mean of the gradient says.

    Args:
        groups: parameters with their learning rate and weight decay.
        options: the decays.
    """

    def __init__(self, groups: list[dict[str, Any]], options: LionOptions) -> None:
        super().__init__(groups, {"lr": options.lr, "beta1": options.beta1, "beta2": options.beta2})

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        means = [self._mean(parameter) for parameter in parameters]
        directions = torch._foreach_lerp(gradients, means, group["beta1"])
        torch._foreach_sign_(directions)
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(parameters, directions, alpha=-group["lr"])
        torch._foreach_lerp_(means, gradients, 1 - group["beta2"])

    def _mean(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "mean" not in state:
            state["mean"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        return state["mean"]  # type: ignore[no-any-return]
