"""Which kernels a run computes with: those that are fastest on this machine for this model and batch, found out by measuring.

The right ones differ by machine and shape by factors of 2 to 6: products in fp32 or bf16, by which library, attention by
torch's kernel or by two products and a softmax. A few examples go through the model in each way; ways that are far behind are
dropped after each round; one that is not clearly faster than the usual one is not taken. Each must give the gradient that fp32
gives, and each way to update the update of the usual one, to the bounds below. What was found is kept in the cache for this
machine, model and batch.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pentad.config.kernels import PRODUCTS, Variants, Wish
from pentad.config.tables import TrainingOptions
from pentad.contracts.model import Model
from pentad.contracts.objective import CrossEntropy, TensorBatch
from pentad.inference.net import ModelNet
from pentad.speed.batches import on_device
from pentad.speed.racing import ROUNDS, Timed, race
from pentad.system.cache import cache_directory
from pentad.system.errors import EngineError
from pentad.system.files import read_json, write_atomically
from pentad.system.machine import Machine, bf16_is_fast, machine_name
from pentad.train.trainer import Trainer, loss_of, named_parameters

if TYPE_CHECKING:
    from pentad.contracts.optimizer import NamedParameter, Optimization

MOST_SECONDS = 3.0
"""What measuring takes at most."""

SHARE = 0.03
"""Share of the training that measuring takes at most."""

LEAST_SECONDS = 0.3
"""Where less than this is allowed, the training is too short to win anything."""

OF_PASSES = 0.7
"""Share of the time that is for passes through the model; the rest is the optimizers'."""

LEAST_PART = 3
"""Ways are timed with a third of a step's examples or more: with fewer, what is the same for any number decides, such as
making weights smaller, and bf16 seemed slower than fp32 where it was 1.7 times as fast. Where time is short fewer ways are."""

BOUNDS = {"fp32": 1e-4, "bf16": 0.05}
"""The norm of a gradient's difference from the usual fp32 one, as a share of that one's norm."""

UPDATE_BOUND = 0.3
"""The same for the update of each parameter by another way of the optimizers. An orthogonalised gradient is sensitive where its
singular values are small: in bf16 it differs by 1 to 17% (benchmarks/LOG.md), a wrong one by 100% or more."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kernels:
    """How a run computes.

    Args:
        precision: fp32 or bf16.
        products: how fp32 matrices are multiplied: torch's float32 matmul precision.
        model, optimizer: the variants that they were told to use, by name; empty for their defaults.
        speed: how many times as fast as the usual ways the passes, or the optimizers, were.
        threads: CPU threads, where fewer than the machine's were faster; None for those.
    """

    precision: str
    products: str
    model: Mapping[str, str] = dataclasses.field(default_factory=dict)
    optimizer: Mapping[str, str] = dataclasses.field(default_factory=dict)
    speed: float = 1.0
    threads: int | None = None

    @classmethod
    def usual(cls, machine: Machine, wish: Wish | None = None) -> Kernels:
        """Return those of a run that measures nothing."""
        return cls(precision=machine.precision, products=machine.products).under(wish or Wish())

    def under(self, wish: Wish) -> Kernels:
        """Return the same, but for what the user decides."""
        return dataclasses.replace(
            self,
            precision=self.precision if wish.precision == "auto" else wish.precision,
            products=wish.products or self.products,
            model={**self.model, **wish.model},
            optimizer={**self.optimizer, **wish.optimizer},
        )

    def machine(self, machine: Machine) -> Machine:
        """Return the machine that computes so, and tell torch."""
        torch.set_float32_matmul_precision(self.products)
        threads = self.threads or machine.threads
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        return dataclasses.replace(machine, precision=self.precision, products=self.products, threads=threads)

    def as_json(self) -> dict[str, Any]:
        """Return what engine.json and the cache keep."""
        return dataclasses.asdict(self)

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> Kernels:
        """Return what was kept.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        variants = {name: {str(key): str(value) for key, value in found[name].items()} for name in ("model", "optimizer")}
        precision, products = str(found["precision"]), str(found["products"])
        if precision not in BOUNDS or products not in PRODUCTS:
            raise ValueError(f"expected a precision and a kind of products, found {precision} and {products}")
        threads = found.get("threads")  # runs from before they were measured do not say
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise ValueError(f"expected a number of threads, found {threads}")
        return cls(precision=precision, products=products, speed=float(found["speed"]), threads=threads, **variants)

    def in_words(self) -> str:
        """Say what is not as usual: "fp32 by oneDNN, attention by products"."""
        words = ["products by oneDNN"] if self.products == "medium" else []
        words += [f"{name.replace('_', ' ')} by {variant}" for name, variant in (*self.model.items(), *self.optimizer.items())]
        words += ["fewer threads than cores, which is faster"] if self.threads else []
        return ", ".join(words)


def allowed_seconds(seconds: float) -> float:
    """Return how long measuring may take for a training of so many seconds; 0 where it is not worth it."""
    allowed = min(MOST_SECONDS, SHARE * seconds)
    return allowed if allowed >= LEAST_SECONDS else 0.0


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
    machine, usual = trainer.machine, Kernels.usual(trainer.machine, wish)
    model = copy.deepcopy(trainer.model).to(machine.device)
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
            yield dataclasses.replace(usual, precision=precision, products=products, model=chosen)


def _choices(variants: Variants, decided: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield every choice of variants, the usual one first; each names what is not the default, and what the user decides."""
    open_names = [name for name in variants if name not in decided]
    for ways in product(*(variants[name] for name in open_names)):
        pairs = zip(open_names, ways, strict=True)
        yield {**{name: way for name, way in pairs if way != variants[name][0]}, **decided}


class _Pass(Timed):
    """A batch that goes through the model forward and backward in one of the ways."""

    def __init__(self, trainer: Trainer, model: Model, way: Kernels, batch: TensorBatch) -> None:
        super().__init__()
        self.on = way.machine(trainer.machine)
        self.trainer, self.model, self.way, self.batch = trainer, model, way, batch
        self.net = ModelNet(model, self.on, vocabulary=trainer.net.vocabulary, reference=trainer.net.reference)
        self.objective = trainer.builder.objective() or CrossEntropy()

    def do(self, training: bool | None = None) -> None:
        """Compute the gradient."""
        self.way.machine(self.trainer.machine)
        self.model.use_kernels(every_kernel(self.model, self.way.model))
        self.model.zero_grad(set_to_none=True)
        self.model.train(self.objective.dropout if training is None else training)
        loss = loss_of(self.objective, self.net, self.batch).total
        self.net.pop_auxiliary()
        if loss.requires_grad:
            loss.backward()
        self.on.synchronize()

    def gradient(self) -> list[Tensor]:
        """Return the gradient without dropout, whose random numbers another kernel would take in another order."""
        self.do(training=False)
        return [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]

    def agrees_with(self, plain: list[Tensor]) -> bool:
        """Say whether the gradient is the plain one to rounding; False where it cannot be computed."""
        try:
            found = self.gradient()
        except RuntimeError:
            return False
        norm = torch.nn.utils.get_total_norm(plain)
        difference = torch.nn.utils.get_total_norm(torch._foreach_sub(found, plain)) if len(found) == len(plain) else norm
        return bool(difference <= BOUNDS[self.way.precision] * norm)


def _plain(trainer: Trainer, model: Model, batch: TensorBatch) -> list[Tensor]:
    """Return the gradient in fp32 by the model's defaults."""
    machine = trainer.machine
    way = Kernels(precision="fp32", products="high" if machine.device.type == "cuda" else "highest")
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


def every_kernel(offering: Model | Optimization, chosen: Mapping[str, str]) -> dict[str, str]:
    """Return a way for each name that a model or its optimizers offer: the chosen one, or the default where there is none."""
    offered = offering.kernels().items()
    return {name: chosen[name] if chosen.get(name) in ways else ways[0] for name, ways in offered}


def same_kernels(recorded: Mapping[str, Any], machine: Machine, wish: Wish, *, threads_asked: bool = False) -> Kernels | None:
    """Return the kernels that engine.json records, so that a run goes on bit for bit; None where this is another machine.

    What the user decides now holds, and where nothing readable is recorded the usual ones do.

    Args:
        recorded: the entry `kernels`.
        machine: where the run goes on.
        wish: what the user decides now.
        threads_asked: whether the user says how many threads, which then holds. Nor are more taken than there are.
    """
    try:
        name, found = recorded["machine"], Kernels.of_json(recorded)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Kernels.usual(machine, wish)
    if name != machine_name(machine):
        return None
    if threads_asked or (found.threads or 0) > machine.threads:
        found = dataclasses.replace(found, threads=None)
    return found.under(wish)


def key_of(machine: Machine, wish: Wish, model: object, *shape: object) -> str:
    """Return the name under which the cache keeps what was found for this machine, model and batch."""
    facts = [torch.__version__, machine_name(machine), machine.threads, dataclasses.asdict(wish), model, *shape]
    return hashlib.sha256(json.dumps(facts, default=str, sort_keys=True).encode()).hexdigest()[:24]


def noted(key: str, seconds: float) -> Kernels | None:
    """Return what the cache keeps, or None where it has nothing, or what was found in less than half of these seconds.

    What is damaged is measured again.
    """
    with contextlib.suppress(EngineError, OSError, KeyError, TypeError, ValueError, AttributeError):
        place = cache_directory() / "kernels" / f"{key}.json"
        kept = read_json(place) if place.is_file() else None
        return Kernels.of_json(kept) if kept and 2 * float(kept["seconds"]) >= seconds else None
    return None


def note(key: str, kernels: Kernels, machine: Machine, seconds: float) -> None:
    """Keep what was found on this machine in so long; where the cache cannot be written it is found out again next time."""
    with contextlib.suppress(EngineError, OSError):
        place = cache_directory() / "kernels" / f"{key}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps({"machine": machine_name(machine), "seconds": seconds, **kernels.as_json()}) + "\n")


def remembered(machine: Machine) -> list[Kernels]:
    """Return what the cache keeps of this machine, the newest first."""
    found: list[tuple[float, Kernels]] = []
    for place in (cache_directory() / "kernels").glob("*.json"):
        with contextlib.suppress(EngineError, OSError, KeyError, TypeError, ValueError, AttributeError):
            kept = read_json(place)
            if kept["machine"] == machine_name(machine):
                found.append((place.stat().st_mtime, Kernels.of_json(kept)))
    return [kernels for _, kernels in sorted(found, key=lambda each: -each[0])]
