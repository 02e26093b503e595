"""What can be set of each optimizer; learning rates by role, weight decay and schedule are those of all optimizers.

Each default rate is for longer trainings; short ones of small models get more (sizing.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from pentad import OptimizerOptions, RateOptions, option


@dataclass(frozen=True, kw_only=True)
class SGDOptions(OptimizerOptions):
    """Options of stochastic gradient descent."""

    lr: float = option(0.3, "Highest learning rate; each role has its ratio of it.", gt=0)
    weight_decay: float = option(1e-3, "Decay of matrices and the head a step, times the learning rate.", ge=0)
    momentum: float = option(0.9, "Share of the last update in the next one; 0 for none.", ge=0, lt=1)
    nesterov: bool = option(True, "Look one step of the momentum ahead.")


@dataclass(frozen=True, kw_only=True)
class LionOptions(OptimizerOptions):
    """Options of Lion."""

    lr: float = option(1e-3, "Highest learning rate: how far a step moves each parameter; each role has its ratio of it.", gt=0)
    weight_decay: float = option(0.3, "Decay of matrices and the head a step, times the learning rate.", ge=0)
    beta1: float = option(0.9, "Share of the running mean in a step's direction.", ge=0, lt=1)
    beta2: float = option(0.99, "Decay of the running mean of the gradient.", ge=0, lt=1)


@dataclass(frozen=True, kw_only=True)
class AdafactorOptions(OptimizerOptions):
    """Options of Adafactor."""

    lr: float = option(
        0.03, "Highest learning rate, as a share of a parameter's root mean square; each role has its ratio of it.", gt=0
    )
    beta2_decay: float = option(-0.8, "The running mean of the squared gradient decays by 1 - step^beta2_decay.", lt=0)
    clip: float = option(1.0, "Largest root mean square of an update, before it is scaled.", ge=1)
    min_scale: float = option(1e-3, "Least root mean square that a parameter is taken to have.", gt=0)


@dataclass(frozen=True, kw_only=True)
class SOAPOptions(OptimizerOptions):
    """Options of SOAP."""

    lr: float = option(3e-3, "Highest learning rate; each role has its ratio of it.", gt=0)
    beta1: float = option(0.95, "Decay of the running mean of the gradient.", ge=0, lt=1)
    beta2: float = option(0.95, "Decay of the running mean of its square, in the eigenbasis.", ge=0, lt=1)
    gram_beta: float = option(0.95, "Decay of the running mean of the gradient's products with itself.", ge=0, lt=1)
    eps: float = option(1e-8, "Added to the divisor.", gt=0)
    every: int = option(10, "Steps between updates of the eigenbasis.", ge=1)
    max_size: int = option(1024, "Longest side of a matrix that gets an eigenbasis; longer ones are left as they are.", ge=0)


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeOptions(RateOptions):
    """Options of schedule-free AdamW, which averages in its own way.

    There is a schedule all the same, for who wants one; by default the rate never falls.
    """

    schedule: str = option(
        "constant",
        "Shape of the learning rate after warm-up; wsd is constant and then falls over the last decay_ratio.",
        choices=("cosine", "linear", "constant", "wsd"),
    )
    lr: float = option(3e-3, "Highest learning rate; each role has its ratio of it.", gt=0)
    beta1: float = option(0.9, "Share of the mean in the weights at which the gradient is taken.", gt=0, lt=1)
    beta2: float = option(0.95, "Decay of the running mean of the gradient's square.", ge=0, lt=1)
    eps: float = option(1e-8, "Added to the divisor.", gt=0)
