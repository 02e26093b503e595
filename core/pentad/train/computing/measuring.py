"""Which kernels a run computes with: those that are fastest on this machine for this model and batch, found out by measuring.

The right ones differ by machine and shape by factors of 2 to 6: products in fp32 or bf16, by which library, attention by
torch's kernel or by two products and a softmax. A few examples go through the model in each way; ways that are far behind are
dropped after each round; one that is not clearly faster than the usual one is not taken. Each must give the gradient that fp32
gives, and each way to update the update of the usual one, to the bounds below. What was found is kept in the cache for this
machine, model and batch.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from pentad.config.kernels import Variants, Wish
from pentad.config.tables import TrainingOptions
from pentad.contracts.model import Model
from pentad.contracts.objective import CrossEntropy, TensorBatch
from pentad.inference.net import Forward, ModelNet
from pentad.speed.batches import on_device
from pentad.speed.compiling import Compiling
from pentad.speed.racing import ROUNDS, Timed, race
from pentad.system.machine import Machine, bf16_is_fast
from pentad.train.computing.kernels import BOUNDS, MOST_SECONDS, Kernels, every_kernel
from pentad.train.trainer import Trainer, loss_of, named_parameters

if TYPE_CHECKING:
    from pentad.contracts.optimizer import NamedParameter, Optimization

OF_PASSES = 0.7
"""Share of the time that is for passes through the model; the rest is the optimizers'."""

LEAST_PART = 3
"""Ways are timed with a third of a step's examples or more: with fewer, what is the same for any number decides, such as
making weights smaller, and bf16 seemed slower than fp32 where it was 1.7 times as fast. Where time is short fewer ways are."""

UPDATE_BOUND = 0.3
"""The same for the update of each parameter by another way of the optimizers. An orthogonalised gradient is sensitive where its
singular values are small: in bf16 it differs by 1 to 17% (benchmarks/LOG.md), a wrong one by 100% or more."""


_FILLED_WITH = 0.02
"""The standard deviation of what takes the place of zeros: that of GPT-2's matrices at the start."""


def fastest(
    trainer: Trainer,
    make_optimization: Callable[[list[NamedParameter]], Optimization],
    *,
    wish: Wish,
    seconds: float,
    seconds_per_step: float,
) -> Kernels:
    """Measure, and return the fastest kernels whose gradients agree with fp32's, and whose updates with the usual ones.

    Args:
        trainer: of the run's model, examples and objective; nothing of it changes.
        make_optimization: makes its optimizers.
        wish: what the user decides.
        seconds: how long it may take.
        seconds_per_step: what a whole step takes about.
    """
    machine, usual = trainer.machine, dataclasses.replace(Kernels.usual(trainer.machine, wish), measured=True)
    model = copy.deepcopy(trainer.model).to(machine.device)
    _fill_zeros(model)
    ways = list(_ways(machine, wish, model.kernels()))
    ways, rows = _affordable(ways, trainer.options, OF_PASSES * seconds / max(seconds_per_step, 1e-9))
    batch = on_device(trainer.build(np.arange(rows, dtype=np.int64)), machine)
    began = time.perf_counter()
    try:
        plain: list[Tensor] = []
        for best, speed in race([_Pass(trainer, model, way, batch) for way in ways], began + OF_PASSES * seconds):
            if best.way == usual:
                chosen = usual
                break
            plain = plain or _plain(trainer, model, batch)
            if best.agrees_with(plain):
                chosen = dataclasses.replace(best.way, speed=speed)
                break
        updating = _Updating(trainer, make_optimization, model, wish)
        steps = updating.steps()
        for step, faster in race(steps, began + seconds) if len(steps) > 1 else ():
            if step is steps[0] or updating.agree(steps[0].variants, step.variants):
                return dataclasses.replace(chosen, optimizer=step.variants, speed=max(chosen.speed, faster))
        return chosen
    finally:
        Kernels.usual(machine).machine(machine)


def _affordable(ways: list[Kernels], options: TrainingOptions, steps: float) -> tuple[list[Kernels], int]:
    """Return the first ways, and how many examples to time each with, so that all rounds take as long as so many steps."""
    size = max(1, options.batch_size // options.gradient_accumulation)
    few = min(size, -(-options.batch_size // LEAST_PART))
    examples = steps / (1 + ROUNDS) * options.batch_size  # of all ways together, in a round
    fit = min(len(ways), max(2, int(examples / few)))
    return ways[:fit], int(min(size, max(few, examples / fit)))


def _ways(machine: Machine, wish: Wish, variants: Variants) -> Iterator[Kernels]:
    """Yield every way to compute that the user left open, the usual one first."""
    usual = Kernels.usual(machine, wish)
    formats = [(usual.precision, usual.products)]
    if wish.precision == "auto" and bf16_is_fast(machine.device)[0]:
        formats += [("bf16", usual.products), ("fp32", usual.products)]
    if machine.device.type == "cpu" and wish.precision != "bf16" and wish.products is None:
        formats.append(("fp32", "medium"))
    for precision, products in dict.fromkeys(formats):
        for chosen in _choices(variants, wish.model):
            yield dataclasses.replace(usual, precision=precision, products=products, model=chosen, measured=True)


def _choices(variants: Variants, decided: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield every choice of variants, the usual one first; each names what is not the default, and what the user decides."""
    open_names = [name for name in variants if name not in decided]
    for ways in product(*(variants[name] for name in open_names)):
        pairs = zip(open_names, ways, strict=True)
        yield {**{name: way for name, way in pairs if way != variants[name][0]}, **decided}


class _Pass(Timed):
    """A batch that goes through the model forward and backward in one of the ways."""

    def __init__(
        self, trainer: Trainer, model: Model, way: Kernels, batch: TensorBatch, forward: Forward | None = None
    ) -> None:
        super().__init__()
        self.on = way.machine(trainer.machine)
        self.trainer, self.model, self.way, self.batch = trainer, model, way, batch
        words = {"vocabulary": trainer.net.vocabulary, "reference": trainer.net.reference}
        self.net = ModelNet(model, self.on, forward=forward, **words)  # type: ignore[arg-type]
        self.objective = trainer.builder.objective() or CrossEntropy()

    def do(self, training: bool | None = None) -> None:
        """Compute the gradient."""
        self.way.machine(self.trainer.machine)
        self.way.tell(self.model)
        self.model.zero_grad(set_to_none=True)
        self.model.train(self.objective.dropout if training is None else training)
        loss = loss_of(self.objective, self.net, self.batch).total
        self.net.pop_auxiliary()
        if loss.requires_grad:
            loss.backward()
        self.on.synchronize()

    def gradient(self, training: bool | None = False) -> list[Tensor]:
        """Return the gradient, mostly without dropout, whose random numbers another kernel would take in another order."""
        self.do(training)
        return [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]

    def agrees_with(self, plain: list[Tensor]) -> bool:
        """Say whether the gradient is the plain one to rounding; False where it cannot be computed."""
        try:
            found = self.gradient()
        except RuntimeError:
            return False
        return _agree(found, plain, self.way.precision)


def _agree(found: list[Tensor], plain: list[Tensor], precision: str) -> bool:
    """Say whether a gradient is another one, to the rounding of a precision."""
    norm = torch.nn.utils.get_total_norm(plain)
    difference = torch.nn.utils.get_total_norm(torch._foreach_sub(found, plain)) if len(found) == len(plain) else norm
    return bool(difference <= BOUNDS[precision] * norm)


def race_compiled(
    trainer: Trainer, batch: TensorBatch, way: Kernels, forward: Forward, seconds_per_step: float, *, quick: bool = False
) -> Compiling | None:
    """Compile the trainer's own model, time passes through it in turns with those that are not compiled, and compare gradients.

    Args:
        trainer: of a run, on the machine that computes by its kernels. Of its model only the gradient changes, to none.
        batch: a micro-batch.
        way: those kernels.
        forward: the model as it is compiled at its first call.
        seconds_per_step: what a whole step takes without it.
        quick: whether how fast it is does not matter.

    Returns:
        What compiling did; None where it gives another gradient.

    Raises:
        Exception: whatever the compiler raises.
    """
    plain, compiled = (_Pass(trainer, trainer.model, way, batch, each) for each in (None, forward))
    filled = _fill_zeros(trainer.model)
    try:
        with torch.random.fork_rng(devices=()):
            began = time.perf_counter()
            trainer.machine.seed(0)
            found = [gradient.clone() for gradient in compiled.gradient(None)]
            seconds = time.perf_counter() - began
            trainer.machine.seed(0)
            same = _agree(found, plain.gradient(None), way.precision)
            for _ in race([plain, compiled], time.perf_counter() + (0.0 if quick else MOST_SECONDS)):
                pass
    finally:  # a compiler that fails in the backward pass leaves a part of the gradient
        for each in filled:
            each.zero_()
        trainer.model.zero_grad(set_to_none=True)
    share = min(1.0, plain.seconds * trainer.options.gradient_accumulation / seconds_per_step)  # of a step, what may be faster
    faster = 1 / (1 - share * (1 - compiled.seconds / plain.seconds))
    return Compiling(faster=faster, seconds=seconds) if same else None


def _fill_zeros(model: Model) -> list[Tensor]:
    """Give small values to parameters that are all zero, and return them.

    Behind a matrix of zeros, as a new model may have, every gradient is zero, so a wrong one would pass for a right one.
    """
    zero = [each.data for each in model.parameters() if each.requires_grad and each.is_floating_point() and not each.any()]
    generator = torch.Generator().manual_seed(0)
    for each in zero:
        each.copy_(torch.randn(each.shape, generator=generator) * _FILLED_WITH)
    return zero


def _plain(trainer: Trainer, model: Model, batch: TensorBatch) -> list[Tensor]:
    """Return the gradient in fp32 by the model's defaults."""
    machine = trainer.machine
    way = Kernels(precision="fp32", products="high" if machine.device.type == "cuda" else "highest", measured=True)
    return [gradient.clone() for gradient in _Pass(trainer, model, way, batch).gradient()]


class _Step(Timed):
    """A step of the optimizers with one of their variants."""

    def __init__(self, machine: Machine, optimization: Optimization, variants: Mapping[str, str]) -> None:
        super().__init__()
        self.on, self.optimization, self.variants = machine, optimization, variants

    def do(self) -> None:
        self.optimization.use_kernels(every_kernel(self.optimization, self.variants))
        for optimizer in self.optimization.optimizers:
            optimizer.step()
        self.on.synchronize()


class _Updating:
    """The optimizers on copies of the model, with its gradient: to time their variants, and to compare their updates.

    Args:
        trainer, make_optimization: as for `fastest`.
        model: whose gradient was computed.
        wish: what the user decides.
    """

    def __init__(
        self,
        trainer: Trainer,
        make_optimization: Callable[[list[NamedParameter]], Optimization],
        model: Model,
        wish: Wish,
    ) -> None:
        self.trainer, self.make_optimization, self.wish = trainer, make_optimization, wish
        self.model = model

    def _fresh(self) -> tuple[list[Tensor], Optimization]:
        """Return the parameters of a new copy, and its optimizers. What has no gradient, or none that is finite, draws one."""
        named = named_parameters(copy.deepcopy(self.trainer.model).to(self.trainer.machine.device))
        generator = torch.Generator().manual_seed(0)
        for each, found in zip(named, named_parameters(self.model), strict=True):
            norm = float(found.parameter.grad.norm()) if found.parameter.grad is not None else 0.0
            drawn = torch.randn(each.parameter.shape, generator=generator).to(each.parameter)
            each.parameter.grad = found.parameter.grad.clone() if 0 < norm < float("inf") else drawn  # type: ignore[union-attr]
        return [each.parameter for each in named], self.make_optimization(named)

    def steps(self) -> list[_Step]:
        """Return a step with each choice of variants, the usual one first."""
        _, optimization = self._fresh()
        choices = _choices(optimization.kernels(), self.wish.optimizer)
        return [_Step(self.trainer.machine, optimization, chosen) for chosen in choices]

    def agree(self, usual: Mapping[str, str], other: Mapping[str, str]) -> bool:
        """Say whether the first update of each parameter is the usual one to `UPDATE_BOUND`; False where there is none."""
        try:
            pairs = zip(self._updates(usual), self._updates(other), strict=True)
            return all(bool((found - plain).norm() <= UPDATE_BOUND * plain.norm()) for plain, found in pairs)
        except RuntimeError:
            return False

    def _updates(self, variants: Mapping[str, str]) -> list[Tensor]:
        parameters, optimization = self._fresh()
        before = [parameter.detach().clone() for parameter in parameters]
        _Step(self.trainer.machine, optimization, variants).do()
        return [parameter.detach() - value for parameter, value in zip(parameters, before, strict=True)]
