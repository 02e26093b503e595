"""Schedule-free AdamW: Defazio et al., The Road Less Scheduled, 2024; the authors' own library, `schedulefree`.

Three sequences of weights: `z` takes the steps, `x` is its running mean, and the gradient is taken at `y`, which lies between
them: `y = (1 - beta1) z + beta1 x`. The model trains at `y`, and is judged, sampled from and saved at `x`. The mean takes the
place of a falling learning rate, so that a training can end at any step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from schedulefree import AdamWScheduleFree

from pentad import NamedParameter, Optimization, parameter_groups, schedule
from pentad_optimizers.options import ScheduleFreeOptions


def schedule_free(options: ScheduleFreeOptions, parameters: Sequence[NamedParameter]) -> Optimization:
    """Return schedule-free AdamW over all parameters, in a group for each role."""
    groups = parameter_groups(options, parameters)
    if not groups:
        return Optimization(optimizers=(), schedule=schedule(options))
    optimizer = AdamWScheduleFree(groups, lr=options.lr, betas=(options.beta1, options.beta2), eps=options.eps)
    optimizer.train()
    return ScheduleFree(optimizers=(optimizer,), schedule=schedule(options))


class ScheduleFree(Optimization):
    """Judges at the mean `x`, and gives the weights `y` that train back bit for bit, as a copy."""

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Put the mean in place of each parameter that has moved."""
        with torch.no_grad():
            own = [(parameter, parameter.detach().clone()) for group in self.groups() for parameter in group["params"]]
        try:
            for optimizer in self.optimizers:
                optimizer.eval()  # type: ignore[attr-defined]
            yield
        finally:
            # Its own way back, `optimizer.train()`, is exact only up to rounding.
            with torch.no_grad():
                for parameter, before in own:
                    parameter.copy_(before)
            for group in self.groups():
                group["train_mode"] = True
