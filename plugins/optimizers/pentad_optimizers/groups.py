"""What optimizers that are written out have in common: a step, group by group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class ByGroup(torch.optim.Optimizer):
    """Moves the parameters of each group that have a gradient; a subclass says how, in `_move`."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every parameter that has a gradient by one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moving = [parameter for parameter in group["params"] if parameter.grad is not None]
            if moving:
                self._move(moving, group)
        return loss

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Move these parameters, which have a gradient, by the options of their group."""
        raise NotImplementedError
