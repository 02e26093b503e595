"""Schedule-free AdamW in a single file: proves the contract of optimizers whose weights to judge are not those that train.

Defazio et al., The Road Less Scheduled, 2024. Three sequences of weights: `z` takes the steps, `x` is its running mean, and the
gradient is taken at `y = (1 - beta1) z + beta1 x`. The model trains at `y`; it is judged, sampled from and saved at `x`.

engine run --plugin examples/contracts/schedule_free.py --optimizer schedule-free --optimizer.lr 0.01 --data my.txt
engine plugins check examples/contracts/schedule_free.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from pentad import Implementation, NamedParameter, Optimization, hookimpl, option

_DECAYED = ("matrix", "experts", "head")


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeOptions:
    """Options of schedule-free AdamW."""

    lr: float = option(3e-3, "Learning rate after the warm-up; it never falls.", gt=0)
    beta1: float = option(0.9, "Share of the mean in the weights at which the gradient is taken.", ge=0, lt=1)
    beta2: float = option(0.95, "Decay of the running mean of the gradient's square.", ge=0, lt=1)
    eps: float = option(1e-8, "Added to the divisor.", gt=0)
    weight_decay: float = option(0.1, "Decay of matrices and the head a step, times the learning rate.", ge=0)
    warmup_ratio: float = option(0.02, "Share of the training over which the learning rate rises from 0.", ge=0, lt=1)


class ScheduleFreeAdamW(Optimizer):
    """One step of `z`, and of its mean. All that is remembered is state or stands in the groups, so checkpoints hold it."""

    def __init__(self, groups: list[dict[str, Any]], options: ScheduleFreeOptions) -> None:
        self.beta1, self.beta2, self.eps = options.beta1, options.beta2, options.eps
        super().__init__(groups, {"lr": options.lr, "weight_sum": 0.0, "steps": 0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move each parameter that has a gradient."""
        del closure
        for group in self.param_groups:
            group["steps"] += 1
            group["weight_sum"] += group["lr"] ** 2
            share = group["lr"] ** 2 / group["weight_sum"] if group["weight_sum"] else 0.0
            correction = 1 - self.beta2 ** group["steps"]
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], group["weight_decay"], correction, share)

    def _move(self, parameter: Tensor, lr: float, decay: float, correction: float, share: float) -> None:
        """Move one parameter, which is at `y`: `z` by the step, `x` towards `z` by the share, and `y` between them."""
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["z"], state["x"] = parameter.clone(), parameter.clone()
            state["square"] = torch.zeros_like(parameter)
        if lr == 0:
            return
        state["square"].lerp_(gradient.square(), 1 - self.beta2)
        direction = gradient / ((state["square"] / correction).sqrt() + self.eps)
        state["z"].sub_(direction + decay * parameter, alpha=lr)
        state["x"].lerp_(state["z"], share)
        parameter.copy_(torch.lerp(state["z"], state["x"], self.beta1))


class ScheduleFree(Optimization):
    """Judges at the mean `x`, and gives the weights `y` that train back bit for bit, as a copy."""

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Put the mean in place of each parameter that has moved."""
        moved = [
            (parameter, parameter.detach().clone(), state["x"])
            for optimizer in self.optimizers
            for parameter, state in optimizer.state.items()
        ]
        try:
            with torch.no_grad():
                for parameter, _, mean in moved:
                    parameter.copy_(mean)
            yield
        finally:
            with torch.no_grad():
                for parameter, own, _ in moved:
                    parameter.copy_(own)


def schedule_free(options: ScheduleFreeOptions, parameters: Sequence[NamedParameter]) -> Optimization:
    """Return schedule-free AdamW over all parameters, in two groups."""
    decayed = [named.parameter for named in parameters if named.role in _DECAYED]
    others = [named.parameter for named in parameters if named.role not in _DECAYED]
    pairs = ((decayed, options.weight_decay), (others, 0.0))
    groups: list[dict[str, Any]] = [{"params": group, "weight_decay": decay} for group, decay in pairs if group]
    warmup = options.warmup_ratio

    def rise(progress: float) -> float:
        return min(1.0, progress / warmup) if warmup else 1.0

    return ScheduleFree(optimizers=[ScheduleFreeAdamW(groups, options)] if groups else [], schedule=rise)


@hookimpl
def engine_optimizers() -> Sequence[Implementation]:
    """Offer the optimizer."""
    return [
        Implementation(
            name="schedule-free",
            summary="AdamW without a schedule: the mean of its weights is judged.",
            factory=schedule_free,
            options=ScheduleFreeOptions,
        )
    ]
