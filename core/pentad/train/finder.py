"""A learning rate, found before the training: a few steps with a rate that rises exponentially until the loss does.

Smith, Cyclical Learning Rates for Training Neural Networks, 2017, section 3.3 (the range test). The rate goes through the
optimizer's one dial, so that what is found is a value of its option `lr`, whatever ratios its groups have to it. Schedules play
no part: the optimizer is held at the share of the training at which its schedule is highest.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pentad.contracts.observer import Preparation
from pentad.contracts.optimizer import Optimization
from pentad.system.chart import Line, Picture, line_chart
from pentad.system.errors import EngineError, UsageError
from pentad.system.files import write_atomically
from pentad.train.job import Job, plan_of

LOWEST, HIGHEST = 1e-3, 1e3
"""Where the rates begin and end, as multiples of the optimizer's own."""

LEAST_STEPS, MOST_STEPS, SHARE = 100, 300, 0.1
"""Steps of the test: a tenth of those planned, within these bounds."""

SMOOTHED_OVER = 0.04
"""Half-width of the window that smooths the losses, as a share of the steps."""

LOST, RISEN = 0.5, 0.1
"""The loss has diverged when it is above its lowest by so much of what it had fallen, and by so much of the first loss."""

BEGUN = 0.25
"""Share of its whole fall by which the loss has fallen for good where the fall has begun."""

FLAT = 0.02
"""A loss that falls by less than this share of the first one says nothing."""


@dataclass(frozen=True, kw_only=True, repr=False)
class RateSweep:
    """What the range test saw.

    Args:
        rates: learning rate of each step: values of the optimizer's option `lr`; multiples of its own rates where it has none.
        losses: mean loss of each step's targets before it, nats per token.
        smoothed: the same, averaged over neighbours.
        lr: the optimizer's own rate; None where it has no option `lr`.
        suggested: the rate to train with; None where the test shows none.
        reason: why, or why none.
        diverged: whether the loss rose in the end.
        planned_steps: steps of the training that the recipe plans.
        seconds: how long the test took.
    """

    rates: Sequence[float]
    losses: Sequence[float]
    smoothed: Sequence[float]
    lr: float | None
    suggested: float | None
    reason: str
    diverged: bool
    planned_steps: int
    seconds: float

    def save(self, folder: Path) -> None:
        """Write everything as `learning-rates.json` into a folder, which is made where it is missing.

        Raises:
            EngineError: it cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / "learning-rates.json", json.dumps(dataclasses.asdict(self), indent=1) + "\n")
        except OSError as error:
            raise EngineError(
                f"{folder} must be writable; found: {error.strerror or error}.",
                "Make room, or use another --out.",
                code="not-writable",
            ) from error

    def plot(self) -> Picture:
        """Return the loss over the logarithm of the rate as SVG; a notebook shows it."""
        points = [(math.log10(rate), loss) for rate, loss in zip(self.rates, self.smoothed, strict=True)]
        return line_chart([Line(name="training loss", points=points)], "log10 of the learning rate", "loss, nats per token")

    def _repr_svg_(self) -> str:
        return str(self.plot())

    def __repr__(self) -> str:
        """Say what is suggested."""
        suggested = "nothing" if self.suggested is None else f"{self.suggested:.2g}"
        return f"<RateSweep: {suggested} suggested after {len(self.rates)} steps>"


def sweep(job: Job) -> RateSweep:
    """Train on the job's own examples with rising rates; the job is used up by it.

    Raises:
        UsageError: the model learns by counting, the loss does not say how the learning goes, or the schedule is 0 throughout.
        EngineError: a step fails for another reason than that it diverges.
    """
    if job.optimization is None:
        raise UsageError(
            "A learning rate needs a model that learns by gradients; found one that learns by counting.",
            "Use --model gpt, or train without --find-lr.",
            code="no-learning-rate",
        )
    if watched := job.trainer.objective.watched:
        raise UsageError(
            f"The range test goes by the loss; found an objective that tells by {watched} how the learning goes.",
            "Compare some rates: engine compare --optimizer.lr 1e-4,1e-3.",
            code="no-learning-rate",
        )
    planned = plan_of(job, None).steps
    number = round(min(max(SHARE * planned, LEAST_STEPS), MOST_STEPS))
    share, highest = _highest_share(job.optimization)
    factors: list[float] = []
    losses: list[float] = []
    diverged, seconds = False, 0.0
    for step in range(number):
        factor = LOWEST * (HIGHEST / LOWEST) ** (step / (number - 1))
        job.observer.on_preparation(Preparation(what="Trying learning rates", done=step / number))
        job.trainer.scale = factor / highest
        try:
            result = job.trainer.step(step, share)
        except EngineError as error:
            if error.code != "diverged" or not losses:
                raise
            diverged = True
            break
        factors.append(factor)
        losses.append(result.loss)
        seconds += job.world.mean(result.seconds)
        if _has_diverged(losses, number):
            diverged = True
            break
    lr = getattr(job.resolved.options["optimizer"], "lr", None)
    lr = float(lr) if isinstance(lr, (int, float)) else None
    rates = [factor * (lr or 1.0) for factor in factors]
    curve = smoothed(losses, number)
    suggested, reason = suggestion(rates, curve)
    return RateSweep(
        rates=rates,
        losses=losses,
        smoothed=curve,
        lr=lr,
        suggested=suggested,
        reason=reason,
        diverged=diverged,
        planned_steps=planned,
        seconds=seconds,
    )


def _highest_share(optimization: Optimization) -> tuple[float, float]:
    """Return where in the training the schedule is highest, and its factor there."""
    shares = [number / 100 for number in range(101)]
    factors = [optimization.set_progress(share) for share in shares]
    highest = max(factors)
    if highest <= 0:
        raise UsageError(
            "The schedule's factor is 0 throughout, so that no learning rate does anything.",
            "Choose another --optimizer.schedule.",
            code="no-learning-rate",
        )
    return shares[factors.index(highest)], highest


def smoothed(losses: Sequence[float], steps: int) -> list[float]:
    """Return the mean of each loss and its neighbours, nearer ones counting more (a triangular window)."""
    half = max(1, round(SMOOTHED_OVER * steps))
    means = []
    for at in range(len(losses)):
        reach = min(half, at, len(losses) - 1 - at) + 1  # the same on either side, so that the ends are not drawn inwards
        weights = {other: reach - abs(other - at) for other in range(at - reach + 1, at + reach)}
        means.append(sum(weight * losses[other] for other, weight in weights.items()) / sum(weights.values()))
    return means


def _has_diverged(losses: Sequence[float], steps: int) -> bool:
    curve, few = smoothed(losses, steps), round(SMOOTHED_OVER * steps) + 1
    if len(losses) < 3 * few:
        return False
    first, last, lowest = sum(losses[:few]) / few, sum(losses[-few:]) / few, min(curve[few:-few])
    return last - lowest > max(LOST * (first - lowest), RISEN * abs(first))


def suggestion(rates: Sequence[float], curve: Sequence[float]) -> tuple[float | None, str]:
    """Return a rate of two digits and why, or None and why not.

    It is the rate at which the loss falls fastest with the logarithm of the rate, once it has begun to: before, it only goes
    up and down with the examples. Below it steps are shorter than they could be; where the loss is lowest, they are too long
    already: the loss has had all lower rates to get there.
    """
    if len(curve) < 3:
        return None, "the training diverged at once"
    lowest = min(range(len(curve)), key=curve.__getitem__)
    if curve[0] - curve[lowest] < FLAT * abs(curve[0]):
        return None, "the loss did not fall at any rate"
    high = curve[0] - BEGUN * (curve[0] - curve[lowest])
    begins = max((at for at in range(1, lowest) if curve[at] >= high), default=1)
    steepest = min(range(begins, max(begins + 1, lowest)), key=lambda at: curve[at + 1] - curve[at - 1])
    return float(f"{rates[steepest]:.1e}"), f"there the loss falls fastest; it is lowest at {rates[lowest]:.2g}"
