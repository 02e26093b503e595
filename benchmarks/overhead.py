"""What the engine costs beside the mathematics: its trainer against a loop by hand with the same model, batches and optimizer.

The loop by hand gets its batches ready-made, so that all that the engine does for a run counts as overhead: building the batch,
seeding, the check for numbers that are not finite. What a whole run adds to each step (clock, schedule, metrics, observers)
is measured through the public `run`.
"""

from __future__ import annotations

import copy
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import stages
from benchmarks.rows import Row, Settings
from benchmarks.timing import alternate, ratios, timed
from benchmarks.training import BABY, QUICK, TINY, Shape, repeated
from pentad import Choice, Recipe, RunObserver, run
from pentad.contracts.observer import Step
from pentad.system.machine import Machine, pick_machine
from pentad.train.trainer import Trainer

BATCHES = 16


def rows(settings: Settings) -> Iterator[Row]:
    """Measure the trainer's step, its parts, and what a run adds."""
    machine = pick_machine("cpu", "fp32", settings.threads)
    for shape in (QUICK,) if settings.quick else (TINY, BABY):
        yield from _step(shape, machine)
    yield from _parts(QUICK if settings.quick else TINY, machine, settings.rounds(200))
    yield _around_the_step(QUICK if settings.quick else TINY, settings)


def _step(shape: Shape, machine: Machine) -> Iterator[Row]:
    """Time the trainer in turns with the loop by hand, and with itself: how far apart equal things come out."""
    trainer, twin = _trainer(shape, machine), _trainer(shape, machine)
    runs = {
        f"Trainer.step {shape.name}": _engine(trainer, shape.steps),
        f"the same again {shape.name}": _engine(twin, shape.steps),
        "loop by hand": _by_hand(_trainer(shape, machine), shape.steps),
    }
    times = alternate(runs, 3 * shape.rounds if shape.steps > 1 else shape.rounds + 2)
    name, again, reference = times
    for against, other in ((reference, times[reference]), (again, times[again])):
        wall_ratio, cpu_ratio = ratios(times[name], other)
        yield Row(
            bench="overhead",
            name=name,
            value=1000 * times[name].wall / shape.steps,
            unit="ms a step",
            wall=times[name].wall / shape.steps,
            cpu=times[name].cpu / shape.steps,
            against=against,
            ratio=wall_ratio,
            cpu_ratio=cpu_ratio,
            note="how much noise there is" if other is times[again] else "",
        )


def _trainer(shape: Shape, machine: Machine) -> Trainer:
    size = {"n_layer": shape.layers, "n_head": shape.heads, "n_embd": shape.width}
    model = stages.make_model("gpt", shape.context, **size)
    tokens = stages.random_text()
    return stages.make_trainer(model, machine, tokens, context_length=shape.context, batch_size=shape.batch)


def _engine(trainer: Trainer, steps: int) -> Callable[[], object]:
    numbers = itertools.count()
    return repeated(lambda: trainer.step(next(numbers) % BATCHES, 0.5), steps)


def _by_hand(trainer: Trainer, steps: int) -> Callable[[], object]:
    """Return steps on what the trainer has, written out."""
    model, optimizer = trainer.model, torch.optim.AdamW(_groups(trainer), betas=(0.9, 0.95), fused=True)
    numbers, batches = itertools.count(), [_batch(trainer, number) for number in range(BATCHES)]

    def step() -> None:
        inputs, targets = batches[next(numbers) % BATCHES]
        features = model(inputs).features
        loss = F.cross_entropy(model.logits(features).flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return repeated(step, steps)


def _groups(trainer: Trainer) -> list[dict[str, object]]:
    assert trainer.optimization is not None
    groups = trainer.optimization.optimizers[0].param_groups
    return [{key: group[key] for key in ("params", "lr", "weight_decay")} for group in copy.copy(groups)]


def _batch(trainer: Trainer, number: int) -> tuple[Tensor, Tensor]:
    size = trainer.options.batch_size
    batch = trainer.builder.build(trainer.tokens, np.arange(number * size, (number + 1) * size), trainer.options.seed)
    return torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)


def _parts(shape: Shape, machine: Machine, rounds: int) -> Iterator[Row]:
    """Time what the engine does in a step and the loop by hand does not."""
    trainer = _trainer(shape, machine)
    indices = np.arange(shape.batch)
    gradients = [torch.ones_like(parameter) for parameter in trainer.parameters]
    parts: dict[str, Callable[[], object]] = {
        "building the batch": lambda: trainer.builder.build(trainer.tokens, indices, 0),
        "seeding torch": lambda: machine.seed(1),
        "norm of all gradients (clipping needs it too)": lambda: float(nn.utils.get_total_norm(gradients)),
    }
    for name, part in parts.items():
        times = [timed(part) for _ in range(rounds + 1)][1:]
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        yield Row(bench="overhead", name=name, value=1000 * wall, unit="ms a step", wall=wall, cpu=cpu, note=shape.name)


class _Clock(RunObserver):
    """Notes when each step was reported, and how long the trainer took for it."""

    def __init__(self) -> None:
        self.reported: list[float] = []
        self.trained: list[float] = []

    def on_step(self, event: Step) -> None:
        """Note."""
        self.reported.append(time.perf_counter())
        self.trained.append(event.seconds)

    def around(self) -> float:
        """Return the median seconds from one report to the next in which the trainer did not train."""
        gaps = np.diff(self.reported) - np.diff(self.trained)
        return float(np.median(gaps))


def _around_the_step(shape: Shape, settings: Settings) -> Row:
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text.txt")
        text.write_text("".join(map(chr, np.random.default_rng(0).integers(33, 97, size=50_000))), encoding="ascii")
        recipe = _recipe(shape, settings, text)
        kept = os.environ.get("PENTAD_CACHE")
        os.environ["PENTAD_CACHE"] = str(Path(folder, "cache"))
        try:
            run(recipe, catalogue=stages.catalogue(), out=Path(folder, "run"), observers=[clock])
        finally:
            if kept is None:
                del os.environ["PENTAD_CACHE"]
            else:
                os.environ["PENTAD_CACHE"] = kept
    seconds = clock.around()
    return Row(
        bench="overhead",
        name="a run around Trainer.step (schedule, metrics, observer)",
        value=1000 * seconds,
        unit="ms a step",
        wall=seconds,
        note=shape.name,
    )


def _recipe(shape: Shape, settings: Settings, text: Path) -> Recipe:
    return Recipe(
        tokenizer="byte",
        builder="next-token",
        model=Choice("gpt", n_layer=shape.layers, n_head=shape.heads, n_embd=shape.width),
        optimizer="adamw",
        sampler="greedy",
        data=text,
        training={
            "steps": 5 if settings.quick else 100,
            "budget": None,
            "batch_size": shape.batch,
            "context_length": shape.context,
        },
        machine={"device": "cpu", "precision": "fp32", "compile": "off", "threads": settings.threads},
        evaluation={"evaluate_every": 0.0},
        generation={"max_tokens": 1, "sample_every": 0.0},
        reporting={"checkpoint_seconds": 0.0, "log_every": 1},
    )
