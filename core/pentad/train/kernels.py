"""Which kernels a run computes with: those that are fastest on this machine for this model and batch, found out by measuring.

The right ones differ by machine and shape by factors of 2 to 6: products in fp32 or bf16, by which library, attention by
torch's kernel or by two products and a softmax. A few examples go through the model in each way; ways that are far behind are
dropped after each round; one that is not clearly faster than the usual one is not taken. Each must give the gradient that fp32
gives, to the bounds below. What was found is kept in the cache for this machine, model and batch.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from pentad.contracts.model import Model
from pentad.contracts.objective import CrossEntropy, TensorBatch
from pentad.inference.net import ModelNet
from pentad.system.cache import cache_directory
from pentad.system.errors import EngineError
from pentad.system.files import read_json, write_atomically
from pentad.system.machine import Machine, bf16_is_fast
from pentad.train.trainer import Trainer, loss_of, named_parameters, on_device

if TYPE_CHECKING:
    from pentad.contracts.optimizer import NamedParameter, Optimization

MOST_SECONDS = 3.0
"""What measuring takes at most."""

SHARE = 0.03
"""Share of the training that measuring takes at most."""

LEAST_SECONDS = 0.3
"""Where less than this is allowed, the training is too short to win anything."""

BEHIND = 1.3
"""A way that takes so many times as long as the fastest is dropped after a round."""

CLEARLY = 0.93
"""A way must take at most this part of the usual one's time: a smaller difference is one of the moment."""

ROUNDS = 4

BOUNDS = {"fp32": 1e-4, "bf16": 0.05}
"""The norm of a gradient's difference from the usual fp32 one, as a share of that one's norm."""


Entrant = TypeVar("Entrant", bound="_Timed")


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
    def usual(cls, machine: Machine) -> Kernels:
        """Return those of a run that measures nothing."""
        return cls(precision=machine.precision, products=machine.products)

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
        if precision not in BOUNDS or products not in ("highest", "high", "medium"):
            raise ValueError(f"expected a precision and a kind of products, found {precision} and {products}")
        threads = found.get("threads")  # runs from before they were measured do not say
        if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
            raise ValueError(f"expected a number of threads, found {threads}")
        return cls(precision=precision, products=products, speed=float(found["speed"]), threads=threads, **variants)

    def in_words(self) -> str:
        """Say what is not as usual: "fp32 by oneDNN, attention by products"."""
        words = ["products by oneDNN"] if self.products == "medium" else []
        words += [f"{name.replace('_', ' ')} by {variant}" for name, variant in (*self.model.items(), *self.optimizer.items())]
        words += ["no more threads as fewer are faster"] if self.threads else []
        return ", ".join(words)


def allowed_seconds(seconds: float) -> float:
    """Return how long measuring may take for a training of so many seconds; 0 where it is not worth it."""
    allowed = min(MOST_SECONDS, SHARE * seconds)
    return allowed if allowed >= LEAST_SECONDS else 0.0


def fastest(
    trainer: Trainer,
    make_optimization: Callable[[list[NamedParameter]], Optimization],
    *,
    wish: str,
    seconds: float,
    seconds_per_step: float,
) -> Kernels:
    """Measure, and return the fastest kernels whose gradients agree with fp32's.

    Args:
        trainer: of the run's model, examples and objective; nothing of it changes.
        make_optimization: makes its optimizers.
        wish: the precision that the user wants, or auto.
        seconds: how long it may take.
        seconds_per_step: what a whole step takes about.
    """
    machine, usual = trainer.machine, Kernels.usual(trainer.machine)
    model = copy.deepcopy(trainer.model).to(machine.device)
    ways = list(_ways(machine, wish, model.kernels()))
    size = max(1, trainer.options.batch_size // trainer.options.gradient_accumulation)
    share = seconds / ((1 + ROUNDS) * len(ways)) / max(seconds_per_step, 1e-9)
    rows = int(min(size, max(1, share * trainer.options.batch_size)))
    batch = on_device(trainer.build(np.arange(rows, dtype=np.int64)), machine)
    began = time.perf_counter()
    try:
        plain: list[Tensor] = []
        for best, speed in _race([_Pass(trainer, model, way, batch) for way in ways], began + 0.7 * seconds):
            if best.way == usual:
                chosen = usual
                break
            plain = plain or _plain(trainer, model, batch)
            if best.agrees_with(plain):
                chosen = dataclasses.replace(best.way, speed=speed)
                break
        steps = list(_optimizer_steps(trainer, make_optimization, machine))
        step, faster = next(_race(steps, began + seconds)) if steps else (None, 1.0)
        return dataclasses.replace(chosen, optimizer=step.variants, speed=max(chosen.speed, faster)) if step else chosen
    finally:
        usual.machine(machine)


def _ways(machine: Machine, wish: str, variants: Mapping[str, Sequence[str]]) -> Iterator[Kernels]:
    """Yield every way to compute, the usual one first."""
    usual, formats = Kernels.usual(machine), [(machine.precision, machine.products)]
    if wish == "auto" and bf16_is_fast(machine.device)[0]:
        formats += [("bf16", machine.products), ("fp32", machine.products)]
    if machine.device.type == "cpu" and wish != "bf16":
        formats.append(("fp32", "medium"))
    for precision, products in dict.fromkeys(formats):
        for names in product(*variants.values()):
            chosen = dict(zip(variants, names, strict=True))
            other = {name: variant for name, variant in chosen.items() if variant != variants[name][0]}
            yield dataclasses.replace(usual, precision=precision, products=products, model=other)


class _Timed:
    """Something that is done again and again, and the least seconds that it took."""

    def __init__(self, machine: Machine) -> None:
        self.on, self.seconds = machine, float("inf")

    def do(self) -> None:
        raise NotImplementedError

    def time(self) -> None:
        """Do it once more."""
        began = time.perf_counter()
        self.do()
        self.on.synchronize()
        self.seconds = min(self.seconds, time.perf_counter() - began)


class _Pass(_Timed):
    """A batch that goes through the model forward and backward in one of the ways."""

    def __init__(self, trainer: Trainer, model: Model, way: Kernels, batch: TensorBatch) -> None:
        super().__init__(way.machine(trainer.machine))
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


class _Step(_Timed):
    """A step of the optimizers with one of their variants."""

    def __init__(self, machine: Machine, optimization: Optimization, variants: Mapping[str, str]) -> None:
        super().__init__(machine)
        self.optimization, self.variants = optimization, variants

    def do(self) -> None:
        self.optimization.use_kernels(every_kernel(self.optimization, self.variants))
        for optimizer in self.optimization.optimizers:
            optimizer.step()


def _optimizer_steps(
    trainer: Trainer, make_optimization: Callable[[list[NamedParameter]], Optimization], machine: Machine
) -> Iterator[_Step]:
    """Yield a step with each variant that the optimizers offer, the default first; nothing where they offer none."""
    model = copy.deepcopy(trainer.model).to(machine.device)
    named = named_parameters(model)
    optimization = make_optimization(named)
    variants = optimization.kernels()
    if not variants:
        return
    generator = torch.Generator().manual_seed(0)
    for each in named:
        each.parameter.grad = torch.randn(each.parameter.shape, generator=generator).to(each.parameter)
    for names in product(*variants.values()):
        chosen = dict(zip(variants, names, strict=True))
        yield _Step(machine, optimization, {name: way for name, way in chosen.items() if way != variants[name][0]})


def every_kernel(offering: Model | Optimization, chosen: Mapping[str, str]) -> dict[str, str]:
    """Return a way for each name that a model or its optimizers offer: the chosen one, or the default."""
    return {name: chosen.get(name, ways[0]) for name, ways in offering.kernels().items()}


def _race(entrants: Sequence[Entrant], until: float) -> Iterator[tuple[Entrant, float]]:
    """Time all in turns, and yield those that are clearly faster than the first, the fastest first, and the first at the end.

    Each with how many times as fast as the first it was. The first round also warms up; where it is all that the time allows,
    what takes so long needs no warming up.
    """
    usual, left = entrants[0], list(entrants)
    for number in range(1 + ROUNDS):
        for each in left:
            if each.seconds == float("inf") or time.perf_counter() < until:
                each.time()
            if time.perf_counter() > until and each is not usual:
                break
        left = [each for each in left if each.seconds < float("inf")]
        if number:  # the first call of a way makes its kernels, which says nothing of how fast they are
            least = min(each.seconds for each in left)
            left = [each for each in left if each is usual or each.seconds <= BEHIND * least]
        if len(left) == 1 or time.perf_counter() > until:
            break
    for each in sorted(entrants, key=lambda each: each.seconds):  # one that was dropped may be next, where the first is wrong
        if each.seconds <= CLEARLY * usual.seconds:
            yield each, usual.seconds / each.seconds
    yield usual, 1.0


def machine_name(machine: Machine) -> str:
    """Return what decides which kernels are fast: the GPU's name, or the instructions that torch uses of the CPU."""
    if machine.device.type == "cuda":
        return torch.cuda.get_device_name(machine.device)
    native = "bf16" if bf16_is_fast(machine.device)[0] else "no bf16"
    return f"{machine.device.type} {torch.backends.cpu.get_cpu_capability()} {native}"


def same_kernels(recorded: Mapping[str, Any], machine: Machine, wish: str, *, threads_asked: bool = False) -> Kernels:
    """Return the kernels that engine.json records, so that a run goes on bit for bit; the usual ones on another machine.

    Args:
        recorded: the entry `kernels`.
        machine: where the run goes on.
        wish: the precision that the user wants now, or auto.
        threads_asked: whether the user says how many threads, which then holds. Nor are more taken than there are.
    """
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        if recorded["machine"] == machine_name(machine):
            found = Kernels.of_json(recorded)
            if threads_asked or (found.threads or 0) > machine.threads:
                found = dataclasses.replace(found, threads=None)
            return found if wish in ("auto", found.precision) else Kernels.usual(machine)
    return Kernels.usual(machine)


def key_of(machine: Machine, wish: str, model: object, *shape: object) -> str:
    """Return the name under which the cache keeps what was found for this machine, model and batch."""
    facts = [torch.__version__, machine_name(machine), machine.threads, wish, model, *shape]
    return hashlib.sha256(json.dumps(facts, default=str, sort_keys=True).encode()).hexdigest()[:24]


def noted(key: str) -> Kernels | None:
    """Return what the cache keeps, or None; what is damaged is measured again."""
    with contextlib.suppress(EngineError, OSError, KeyError, TypeError, ValueError, AttributeError):
        place = cache_directory() / "kernels" / f"{key}.json"
        return Kernels.of_json(read_json(place)) if place.is_file() else None
    return None


def note(key: str, kernels: Kernels) -> None:
    """Keep what was found; where the cache cannot be written it is found out again next time."""
    with contextlib.suppress(EngineError, OSError):
        place = cache_directory() / "kernels" / f"{key}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps(kernels.as_json()) + "\n")
