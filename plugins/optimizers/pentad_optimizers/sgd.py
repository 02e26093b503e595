"""Stochastic gradient descent with momentum (Polyak 1964; Nesterov 1983, as in Sutskever et al. 2013): torch's own.

torch's weight decay is added to the gradient, and so to the momentum. Here it is decoupled, as for every other optimizer
(SGDW of Loshchilov and Hutter, 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from pentad import NamedParameter, Optimization, parameter_groups, schedule
from pentad_optimizers.options import SGDOptions


def sgd(options: SGDOptions, parameters: Sequence[NamedParameter]) -> Optimization:
    """Return stochastic gradient descent over all parameters, in a group for each role."""
    groups = parameter_groups(options, parameters)
    nesterov = options.nesterov and options.momentum > 0
    optimizers = [DecoupledSGD(groups, lr=options.lr, momentum=options.momentum, nesterov=nesterov)] if groups else []
    return Optimization(optimizers=optimizers, schedule=schedule(options))


class DecoupledSGD(torch.optim.SGD):
    """torch.optim.SGD whose weight decay shrinks the weights and leaves the momentum alone."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Shrink what decays, then move every parameter that has a gradient."""
        decays = [group["weight_decay"] for group in self.param_groups]
        try:
            for group, decay in zip(self.param_groups, decays, strict=True):
                moving = [parameter for parameter in group["params"] if parameter.grad is not None]
                if moving and decay:
                    torch._foreach_mul_(moving, 1 - group["lr"] * decay)
                group["weight_decay"] = 0.0
            return super().step(closure)  # type: ignore[no-any-return]
        finally:
            for group, decay in zip(self.param_groups, decays, strict=True):
                group["weight_decay"] = decay
