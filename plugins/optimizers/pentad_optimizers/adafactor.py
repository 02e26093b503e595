"""Adafactor: Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018.

It keeps a mean for each row and each column of a matrix in place of a moment for each entry, and no momentum. The learning rate
is relative: a step is lr times the parameter's root mean square.

Written out, though torch has it (a test holds the two equal): torch's takes 1 / sqrt(step) in place of any higher rate. That is
the schedule that the paper proposes; here a schedule is the user's choice, and twice the rate is twice the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pentad import NamedParameter, Optimization, parameter_groups, schedule
from pentad_optimizers.groups import ByGroup
from pentad_optimizers.options import AdafactorOptions


def adafactor(options: AdafactorOptions, parameters: Sequence[NamedParameter]) -> Optimization:
    """Return Adafactor over all parameters, in a group for each role."""
    groups = parameter_groups(options, parameters)
    return Optimization(optimizers=[Adafactor(groups, options)] if groups else [], schedule=schedule(options))


class Adafactor(ByGroup):
    """Moves each parameter by a share of its own size.

    State of a parameter (…, R, C): `step`, and means of the squared gradient, `row_var` (…, R, 1) and `col_var` (…, 1, C). What
    has one dimension has `variance`, of its shape.

    Args:
        groups: parameters with their learning rate and weight decay.
        options: the decay of the means, and the bounds of a step.
    """

    def __init__(self, groups: list[dict[str, Any]], options: AdafactorOptions) -> None:
        super().__init__(groups, {name: getattr(options, name) for name in ("lr", "beta2_decay", "clip", "min_scale")})

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            assert parameter.grad is not None
            self._move_one(parameter, parameter.grad, group)

    def _move_one(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        state["step"] = state.get("step", 0) + 1
        expected = _expected_square(state, gradient, float(state["step"]) ** group["beta2_decay"])
        tiny = torch.finfo(parameter.dtype).eps
        update = gradient * expected.clamp_(min=tiny * tiny).rsqrt_()
        size = _root_mean_square(parameter).clamp(min=group["min_scale"])  # (), on the device: no step waits for a number
        size = size / (_root_mean_square(update) / group["clip"]).clamp(min=1)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.sub_(update.mul_(group["lr"] * size))


def _expected_square(state: dict[str, Any], gradient: Tensor, newest: float) -> Tensor:
    """Give the newest squared gradient its share of the running means, and return what they expect of each entry's square."""
    if gradient.ndim < 2:
        variance: Tensor = state.setdefault("variance", torch.zeros_like(gradient))
        return variance.lerp_(gradient.square(), newest).clone()
    for name, axis in (("row_var", -1), ("col_var", -2)):
        mean = torch.linalg.vector_norm(gradient, dim=axis, keepdim=True).square_() / gradient.shape[axis]
        state.setdefault(name, torch.zeros_like(mean)).lerp_(mean, newest)
    rows: Tensor = state["row_var"]
    columns: Tensor = state["col_var"]
    return (rows / rows.mean(dim=-2, keepdim=True).clamp(min=torch.finfo(rows.dtype).eps)) @ columns  # (…, R, C)


def _root_mean_square(tensor: Tensor) -> Tensor:
    return tensor.square().mean().sqrt()
