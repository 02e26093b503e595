"""What can be set of AdamW."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import OptimizerOptions, option


@dataclass(frozen=True, kw_only=True)
class AdamWOptions(OptimizerOptions):
    """Options of AdamW."""

    lr: float = option(3e-3, "Highest learning rate; each role has its ratio of it.", gt=0)
    beta1: float = option(0.9, "Decay of the running mean of the gradient.", ge=0, lt=1)
    beta2: float = option(0.95, "Decay of the running mean of its square.", ge=0, lt=1)
    eps: float = option(1e-8, "Added to the divisor.", gt=0)
