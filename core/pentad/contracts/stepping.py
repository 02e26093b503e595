"""What is done to the weights around a step, whatever the optimizer: cautious weight decay, and a mean of the weights.

Any optimizer has them whose groups come from `pentad.parameter_groups`. Nothing here waits for the device.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

AVERAGE = "average"
"""The mean of a parameter in its optimizer's state. A state without it is whole: the mean starts when it is asked for."""


def wrap_step(optimizer: Optimizer, average: WeightAverage | None) -> None:
    """Decay cautiously in each step of an optimizer, where its groups say so, and keep the average after it.

    It is done around this optimizer's own `step`, as torch's schedulers do, and not by torch's hooks: these run once for each
    class whose `step` calls that of its base class.
    """
    inner = optimizer.step

    @functools.wraps(inner)
    def step(*args: Any, **kwargs: Any) -> Any:
        with cautious_weight_decay(optimizer):
            result = inner(*args, **kwargs)
        if average is not None:
            average.update(optimizer)
        return result

    optimizer.step = step  # type: ignore[method-assign]


@contextmanager
def cautious_weight_decay(optimizer: Optimizer) -> Iterator[None]:
    """While the optimizer steps, decay an entry of a weight only where the update moves it towards zero.

    Chen et al., Cautious Weight Decay, 2025: x <- x - lr (u + decay [u x >= 0] x), with u the optimizer's update. What the
    optimizer decays by itself is nothing for its step, and lr u is read off the weights before and after it. It is for the
    groups with `cautious_weight_decay`.
    """
    decaying = []
    for group in optimizer.param_groups:
        moving = [parameter for parameter in group["params"] if parameter.grad is not None]
        if group.get("cautious_weight_decay") and moving and group["weight_decay"] and group["lr"]:
            decaying.append((group, group["weight_decay"], moving, [parameter.detach().clone() for parameter in moving]))
    for group, *_ in decaying:
        group["weight_decay"] = 0.0
    try:
        yield
    finally:
        for group, decay, *_ in decaying:
            group["weight_decay"] = decay
    with torch.no_grad():
        for group, decay, moving, before in decaying:
            for now, then in _pieces(moving, before):
                agree = torch._foreach_sub(then, now)  # lr u
                torch._foreach_mul_(agree, then)
                for each in agree:
                    each.ge_(0)  # 1 or 0
                torch._foreach_addcmul_(now, agree, then, value=-group["lr"] * decay)


def _pieces(*lists: list[Tensor]) -> Iterator[tuple[list[Tensor], ...]]:
    """Yield what to do at once: all for a GPU, which wants few calls; one tensor for a CPU, whose cache then holds it."""
    if all(tensor.device.type == "cpu" for tensor in lists[0]):
        yield from (tuple([tensor] for tensor in tensors) for tensors in zip(*lists, strict=True))
    else:
        yield lists


class WeightAverage:
    """Keeps a running mean of the weights, and puts it in their place for a while.

    An exponential moving average (Polyak and Juditsky 1992; of networks Izmailov et al. 2018, Kaddour 2022) whose time
    constant is a share of the training: a step that takes the share d moves the mean by 1 - exp(-d / average) towards the
    weights. Until that share is over it is the plain mean of all steps, so that it never holds on to the start.

    Args:
        optimizers: whose groups with `average` above 0 have a mean, which lies in the state of each parameter.
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.share: float | None = None
        """Of the training at the next step; set before each. None where nobody says: a plain mean."""
        self._optimizers = optimizers

    @torch.no_grad()
    def update(self, optimizer: Optimizer) -> None:
        """Move the means, after a step of the optimizer."""
        for group in optimizer.param_groups:
            if group.get("average"):
                weight = self._weight(group)
                # One that has not moved yet has no state, and must get none: torch's optimizers start theirs where it is empty.
                moving = [each for each in group["params"] if each.grad is not None or AVERAGE in optimizer.state.get(each, ())]
                for parameter in moving:
                    if AVERAGE not in optimizer.state[parameter]:
                        optimizer.state[parameter][AVERAGE] = parameter.detach().clone()
                if moving:
                    torch._foreach_lerp_([optimizer.state[each][AVERAGE] for each in moving], moving, weight)

    def _weight(self, group: dict[str, Any]) -> float:
        """Return how far the mean moves, and note in the group, which is saved, where the training is."""
        share = group["average_until"] if self.share is None else self.share
        steps: int = group["average_steps"] + 1
        moved: float = 1 - math.exp(-max(0.0, share - group["average_until"]) / group["average"])
        group["average_until"], group["average_steps"] = share, steps
        return max(1 / steps, moved)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the mean in the place of each weight that has one, and give the weights back bit for bit."""
        averaged = [
            (parameter, self._of(optimizer, parameter))
            for optimizer in self._optimizers
            for group in optimizer.param_groups
            if group.get("average")
            for parameter in group["params"]
            if AVERAGE in optimizer.state.get(parameter, ())
        ]
        with torch.no_grad():
            own = [parameter.detach().clone() for parameter, _ in averaged]
            for parameter, mean in averaged:
                parameter.copy_(mean)
        try:
            yield
        finally:
            with torch.no_grad():
                for (parameter, _), before in zip(averaged, own, strict=True):
                    parameter.copy_(before)

    @staticmethod
    def _of(optimizer: Optimizer, parameter: Tensor) -> Tensor:
        found: Tensor = optimizer.state[parameter][AVERAGE]
        return found
