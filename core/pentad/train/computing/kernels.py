"""The kernels of a run: how it computes, in words and in files, and for how long they may be measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from pentad.config.kernels import PRODUCTS, Wish
from pentad.contracts.model import Model
from pentad.system.machine import Machine, machine_name

if TYPE_CHECKING:
    from pentad.contracts.optimizer import Optimization

MOST_SECONDS = 3.0
"""What measuring takes at most, where a step is short."""

MOST_STEPS = 8
"""What measuring takes at most where that is longer: with a step or two, what the machine does beside decides."""

SHARE = 0.03
"""Share of the training that measuring takes at most."""

LEAST_SECONDS = 0.3
"""Where less than this is allowed, the training is too short to win anything."""

BOUNDS = {"fp32": 1e-4, "bf16": 0.05}
"""The norm of a gradient's difference from the usual fp32 one, as a share of that one's norm."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kernels:
    """How a run computes.

    Args:
        precision: fp32 or bf16.
        products: how fp32 matrices are multiplied: torch's float32 matmul precision.
        model, optimizer: the variants that they were told to use, by name; empty for their defaults.
        speed: how many times as fast as the usual ways the passes, or the optimizers, were.
        threads: CPU threads, where fewer than the machine's were faster; None for those.
        measured: whether the model's defaults were the fastest where no other is named.
    """

    precision: str
    products: str
    model: Mapping[str, str] = dataclasses.field(default_factory=dict)
    optimizer: Mapping[str, str] = dataclasses.field(default_factory=dict)
    speed: float = 1.0
    threads: int | None = None
    measured: bool = False

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

    def tell(self, model: Model) -> None:
        """Have a model compute so; nothing is said to it where nothing was measured and nobody decided."""
        if self.measured or self.model:
            model.use_kernels(every_kernel(model, self.model))

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
        measured = bool(found.get("measured", True))  # nor do they say that
        return cls(
            precision=precision, products=products, speed=float(found["speed"]), threads=threads, measured=measured, **variants
        )

    def in_words(self) -> str:
        """Say what is not as usual: "fp32 by oneDNN, attention by products"."""
        words = ["products by oneDNN"] if self.products == "medium" else []
        words += [f"{name.replace('_', ' ')} by {variant}" for name, variant in (*self.model.items(), *self.optimizer.items())]
        words += ["fewer threads than cores, which is faster"] if self.threads else []
        return ", ".join(words)


def allowed_seconds(seconds: float, seconds_per_step: float = 0.0) -> float:
    """Return how long measuring may take for a training of so many seconds and such steps; 0 where it is not worth it."""
    allowed = min(max(MOST_SECONDS, MOST_STEPS * seconds_per_step), SHARE * seconds)
    return allowed if allowed >= LEAST_SECONDS else 0.0


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
