"""Training tokens/s of gpt and rnn through the engine's trainer, in turns with plain torch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from benchmarks import bare, stages
from benchmarks.rows import Row, Settings
from benchmarks.timing import Times, alternate, ratios
from pentad.system.machine import Machine, pick_machine


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is trained on how much a step; `steps` of them make one round of the clock."""

    name: str
    layers: int
    heads: int
    width: int
    context: int
    batch: int
    steps: int
    rounds: int

    @property
    def tokens(self) -> int:
        """Tokens of one round."""
        return self.batch * self.context * self.steps


TINY = Shape(name="tiny 4x128", layers=4, heads=4, width=128, context=64, batch=12, steps=10, rounds=12)
BABY = Shape(name="baby 6x384", layers=6, heads=6, width=384, context=256, batch=16, steps=1, rounds=7)
RECURRENT = Shape(name="2x256", layers=2, heads=1, width=256, context=64, batch=64, steps=2, rounds=9)
QUICK = Shape(name="quick 1x16", layers=1, heads=2, width=16, context=8, batch=2, steps=1, rounds=2)


def rows(settings: Settings) -> Iterator[Row]:
    """Measure gpt and rnn, shape by shape."""
    machine = pick_machine("cpu", "fp32", settings.threads)
    for shape in (QUICK,) if settings.quick else (TINY, BABY):
        yield from _gpt(shape, machine)
    for cell in ("lstm", "gru"):
        yield from _rnn(QUICK if settings.quick else RECURRENT, cell, machine)


def _gpt(shape: Shape, machine: Machine) -> Iterator[Row]:
    size = {"n_layer": shape.layers, "n_head": shape.heads, "n_embd": shape.width}
    reference = bare.GPT2(shape.layers, shape.heads, shape.width, shape.context, stages.VOCABULARY)
    runs = {
        f"gpt {shape.name}, GPT-2's settings": engine(shape, machine, "gpt", {**size, **stages.GPT2}),
        f"gpt {shape.name}, defaults": engine(shape, machine, "gpt", size),
        f"gpt {shape.name}, defaults, muon": engine(shape, machine, "gpt", size, optimizer="muon"),
        "GPT-2 in bare torch": by_hand(shape, reference),
    }
    yield from _rows(shape, runs)


def _rnn(shape: Shape, cell: str, machine: Machine) -> Iterator[Row]:
    options = {"cell": cell, "n_layer": shape.layers, "n_embd": shape.width}
    reference = bare.Recurrent(cell, shape.layers, shape.width, stages.VOCABULARY)
    runs = {
        f"rnn {cell} {shape.name}": engine(shape, machine, "rnn", options),
        f"{cell} in bare torch": by_hand(shape, reference),
    }
    yield from _rows(shape, runs)


def engine(
    shape: Shape, machine: Machine, name: str, options: dict[str, Any], optimizer: str = "adamw"
) -> Callable[[], object]:
    """Return a round of the engine's steps."""
    model = stages.make_model(name, shape.context, **options)
    tokens = stages.random_text()
    trainer = stages.make_trainer(
        model, machine, tokens, context_length=shape.context, batch_size=shape.batch, optimizer=optimizer
    )
    numbers = itertools.count()
    return repeated(lambda: trainer.step(next(numbers), 0.5), shape.steps)


def by_hand(shape: Shape, model: nn.Module) -> Callable[[], object]:
    """Return a round of hand-written steps."""
    step = bare.training_step(model, stages.random_text(), shape.batch, shape.context)
    return repeated(step, shape.steps)


def repeated(step: Callable[[], object], times: int) -> Callable[[], None]:
    """Return a function that does so many steps."""

    def steps() -> None:
        for _ in range(times):
            step()

    return steps


def _rows(shape: Shape, runs: dict[str, Callable[[], object]]) -> Iterator[Row]:
    """Time the runs in turns; the last of them is what the others are compared with."""
    times = alternate(runs, shape.rounds)
    *ours, reference = times
    for name in ours:
        yield _row(shape, name, times[name], reference, times[reference])
    yield _row(shape, reference, times[reference])


def _row(shape: Shape, name: str, times: Times, against: str = "", reference: Times | None = None) -> Row:
    wall_ratio, cpu_ratio = ratios(times, reference) if reference else (None, None)
    return Row(
        bench="training",
        name=name,
        value=shape.tokens / times.wall,
        unit="tokens/s",
        wall=times.wall / shape.steps,
        cpu=times.cpu / shape.steps,
        against=against,
        ratio=wall_ratio,
        cpu_ratio=cpu_ratio,
    )
