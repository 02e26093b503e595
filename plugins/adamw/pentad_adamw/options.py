"""What can be set of AdamW."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import ScheduleOptions, option


@dataclass(frozen=True, kw_only=True)
class AdamWOptions(ScheduleOptions):
    """Options of AdamW."""

    lr: float = option(3e-3, "Highest learning rate.", gt=0)
    beta1: float = option(0.9, "Decay of the running mean of the gradient.", ge=0, lt=1)
    beta2: float = option(0.95, "Decay of the running mean of its square.", ge=0, lt=1)
    eps: float = option(1e-8, "Added to the divisor.", gt=0)
    weight_decay: float = option(0.1, "Decay of matrices and the head a step, times the learning rate.", ge=0)
