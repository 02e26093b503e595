"""The optimizer contract: named parameters to torch optimizers and a learning-rate schedule.

An optimizer's factory is called as `factory(options, parameters)` with a list of `NamedParameter` and returns an
`Optimization`. `OptimizerOptions`, `parameter_groups` and `schedule` give plugins what optimizers share: one learning rate with
a ratio for each role, decoupled weight decay by role, plain or cautious, the usual schedules, and a mean of the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pentad.config.options import option

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from pentad.contracts.model import Role
    from pentad.contracts.stepping import WeightAverage


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedParameter:
    """A parameter with its name in the model and what it is for (`Model.roles`)."""

    name: str
    role: Role
    parameter: nn.Parameter


class Optimization:
    """How the parameters are moved.

    What groups of `parameter_groups` say beside `lr` and `weight_decay` is done here: cautious weight decay, decay that follows
    the learning rate, and a mean of the weights.

    Args:
        optimizers: each parameter stands in exactly one group of exactly one of them.
        schedule: progress (0 at the first step, towards 1 at the last) to a factor on every group's learning rate; None for
            rates that stay as they are.
    """

    def __init__(self, *, optimizers: Sequence[Optimizer], schedule: Callable[[float], float] | None = None) -> None:
        self.optimizers = tuple(optimizers)
        self.schedule = schedule
        for group in self.groups():
            group.setdefault("initial_lr", group["lr"])
            if group.get("weight_decay_schedule") == "lr":
                group.setdefault("initial_weight_decay", group["weight_decay"])
        self._average = self._prepare_steps()

    def _prepare_steps(self) -> WeightAverage | None:
        """Do what the groups say around each step."""
        cautious, average = (any(group.get(name) for group in self.groups()) for name in ("cautious_weight_decay", "average"))
        if not cautious and not average:
            return None
        from pentad.contracts.stepping import WeightAverage, wrap_step  # torch, which a plan can do without

        kept = WeightAverage(self.optimizers) if average else None
        for optimizer in self.optimizers:
            wrap_step(optimizer, kept)
        return kept

    def groups(self) -> Iterator[dict[str, Any]]:
        """Yield the parameter groups of all optimizers."""
        for optimizer in self.optimizers:
            yield from optimizer.param_groups

    def set_progress(self, share: float, scale: float = 1.0) -> float:
        """Set the learning rates for the next step.

        Override it for a schedule of any other kind: of betas, of weight decay, of each group by itself.

        Args:
            share: of the budget that is used in the middle of the step, from 0 to 1.
            scale: a further factor, which an observer asked for.

        Returns:
            The schedule's factor, for the log.
        """
        factor = 1.0 if self.schedule is None else self.schedule(share)
        for group in self.groups():
            group["lr"] = group["initial_lr"] * factor * scale
            if group.get("weight_decay_schedule") == "lr":
                group["weight_decay"] = group["initial_weight_decay"] * factor
        if self._average is not None:
            self._average.share = share
        return factor

    def kernels(self) -> Mapping[str, Sequence[str]]:
        """Name the ways in which the optimizers can compute, as `Model.kernels` does; none unless overridden."""
        return {}

    def use_kernels(self, chosen: Mapping[str, str]) -> None:
        """Compute in these ways from now on: one for each name of `kernels()`, and for no other."""

    def evaluating(self) -> AbstractContextManager[object]:
        """Return a context in which the parameters are those to judge, to sample from and to save.

        Their mean where the option `average` asks for one; override it for schedule-free optimizers. When the context ends,
        the parameters must be what they were before it, bit for bit.
        """
        return nullcontext() if self._average is None else self._average.in_place()

    @property
    def judges_other_weights(self) -> bool:
        """Whether `evaluating` changes the parameters, so that a checkpoint must hold both."""
        return self._average is not None or type(self).evaluating is not Optimization.evaluating


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions:
    """Options of the learning-rate schedule; an optimizer's options class inherits from it."""

    schedule: str = option(
        "linear",
        "Shape of the learning rate after warm-up; wsd is constant and then falls over the last decay_ratio.",
        choices=("cosine", "linear", "constant", "wsd"),
    )
    warmup_ratio: float = option(0.02, "Share of the training over which the learning rate rises from 0.", ge=0, lt=1)
    decay_ratio: float = option(0.3, "Share of the training over which wsd falls.", ge=0, le=1)
    decay_shape: str = option(
        "linear", "How wsd falls: 1-sqrt falls fast at first and longer at low rates.", choices=("linear", "1-sqrt")
    )
    final_lr_ratio: float = option(0.0, "Learning rate at the end, as a share of the highest.", ge=0, le=1)


@dataclass(frozen=True, kw_only=True)
class RateOptions(ScheduleOptions):
    """Options that all optimizers share: one learning rate with a ratio of it for each role, weight decay, and the schedule.

    `lr` is the one dial: whoever doubles it doubles the rate of every parameter. What a role has of it is its ratio.
    """

    lr: float = option(3e-3, "Highest learning rate; each role has its ratio of it.", gt=0)
    embedding_lr_ratio: float = option(
        1.0, "Learning rate of the embedding, as a multiple of lr (one of its own: Yang et al., 2022).", ge=0
    )
    head_lr_ratio: float = option(1.0, "Learning rate of the head, as a multiple of lr.", ge=0)
    experts_lr_ratio: float = option(1.0, "Learning rate of experts' matrices, as a multiple of lr.", ge=0)
    vector_lr_ratio: float = option(1.0, "Learning rate of biases, gains and routers, as a multiple of lr.", ge=0)
    weight_decay: float = option(0.1, "Decay of matrices and the head a step, times the learning rate.", ge=0)

    def lr_of(self, role: Role) -> float:
        """Return the highest learning rate of a role: matrices have `lr` itself."""
        ratio: float = 1.0 if role == "matrix" else getattr(self, f"{role}_lr_ratio")
        return self.lr * ratio


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions(RateOptions):
    """Options that optimizers share; an optimizer's options class inherits from it and sets its own defaults.

    Those beside `RateOptions` are done by `Optimization` for any optimizer whose groups are made by `parameter_groups`. One
    that decays or averages in a way of its own inherits from `RateOptions` alone.
    """

    cautious_weight_decay: bool = option(
        False, "Decay an entry only where its update moves it towards zero (Chen et al., 2025)."
    )
    weight_decay_schedule: str = option(
        "constant",
        "Whether the weight decay stays what it is or falls with the learning rate; a step decays by the product of both.",
        choices=("constant", "lr"),
    )
    average: float = option(
        0.0,
        "Share of the training over which weights are averaged (EMA; Polyak and Juditsky, 1992) to be judged and saved; 0 "
        "takes the last ones.",
        ge=0,
        le=1,
    )


DECAYED = ("matrix", "experts", "head")
"""Roles with weight decay. Biases and gains have no use for it, and an embedding's row would shrink in every step in which its
token does not occur."""


def parameter_groups(options: RateOptions, parameters: Sequence[NamedParameter]) -> list[dict[str, Any]]:
    """Return a torch parameter group for each role that occurs, with its `params`, `lr` and `weight_decay`.

    Weight decay is meant as the decoupled one of Loshchilov and Hutter (2019): p <- (1 - lr weight_decay) p. Which groups there
    are depends on the parameters alone, so that a checkpoint fits whatever the options say. What `OptimizerOptions` has beyond
    that stands in the groups too, for `Optimization` to do.
    """
    by_role: dict[Role, list[nn.Parameter]] = {}
    for named in parameters:
        by_role.setdefault(named.role, []).append(named.parameter)
    more = _beside_the_step(options) if isinstance(options, OptimizerOptions) else {}
    return [
        {"params": members, "lr": options.lr_of(role), "weight_decay": options.weight_decay if role in DECAYED else 0.0, **more}
        for role, members in by_role.items()
    ]


def _beside_the_step(options: OptimizerOptions) -> dict[str, Any]:
    return {
        "cautious_weight_decay": options.cautious_weight_decay,
        "weight_decay_schedule": options.weight_decay_schedule,
        "average": options.average,
        "average_until": 0.0,
        "average_steps": 0,
    }


def schedule(options: ScheduleOptions) -> Callable[[float], float]:
    """Return the schedule that the options describe: progress in [0, 1] to a factor in [0, 1].

    Cosine: Loshchilov and Hutter, SGDR, 2017. Warm-up-stable-decay: Hu et al., MiniCPM, 2024; its fall as 1 - sqrt: Hägele et
    al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations, 2024.
    """
    warmup, final = options.warmup_ratio, options.final_lr_ratio
    if options.schedule == "constant":
        start = 1.0  # never falls
    elif options.schedule == "wsd":
        start = max(warmup, 1 - options.decay_ratio)
    else:
        start = warmup
    cosine = options.schedule == "cosine"
    root = options.schedule == "wsd" and options.decay_shape == "1-sqrt"

    def factor(progress: float) -> float:
        if progress < warmup:
            return progress / warmup
        if progress <= start or start >= 1:
            return 1.0
        fallen = min(1.0, (progress - start) / (1 - start))
        left = 0.5 * (1 + math.cos(math.pi * fallen)) if cosine else 1 - math.sqrt(fallen) if root else 1 - fallen
        return final + (1 - final) * left

    return factor
