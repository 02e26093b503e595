"""Sizes that the user left open, chosen for the text, the budget and the machine, before anything is made.

Core sizes the examples of a step by the arithmetic that the budget buys. Implementations size themselves (`advise`): the
tokenizer by the text, then the model, then the optimizer. What a second buys is known from the last run on this machine, or
guessed from a small step of products and a softmax; a timed step of the chosen size corrects it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional as F

from pentad.config.budget import Budget
from pentad.config.options import changed
from pentad.contracts.situation import Situation
from pentad.data.preparation import Prepared
from pentad.registry.resolving import SIZED_BY_CORE, Resolved, advised
from pentad.system.cache import cache_directory
from pentad.system.errors import EngineError
from pentad.system.files import read_json, write_atomically
from pentad.system.machine import Machine
from pentad.system.processes import World
from pentad.train.estimate import Estimate
from pentad.train.memory import free_memory

MEASURING = 0.2
"""Seconds after which no further step is timed."""

SAME_SPEED = 2.0
"""A machine is as fast as it was noted to be, unless it is found so many times faster or slower."""

PRODUCTS_SHARE = 0.5
"""What a whole training reaches of the speed of its products alone: the first guess, which a timed step corrects."""

FEW_TOKENS = 5e5
"""A training on fewer tokens than this is short on every machine, so nothing is measured for it."""

EXAMPLES = ((3e13, 8, 128), (2e14, 16, 128), (1e15, 32, 256), (float("inf"), 64, 256))
"""Arithmetic below which a step has so many examples of so many tokens. The first row is measured (docs/sizing.md), the last
is what nanoGPT gives to some 5e15 operations, and those between go from one to the other."""


def with_examples(resolved: Resolved, situation: Situation) -> Resolved:
    """Size the examples of a step by the arithmetic that the budget buys, where the user left them open."""
    left_open = SIZED_BY_CORE & resolved.open.get("training", frozenset())
    if situation.flops is None or resolved.recipe.start.run is not None:
        return resolved
    batch_size, context_length = next(row[1:] for row in EXAMPLES if situation.flops < row[0])
    values = {"batch_size": batch_size, "context_length": context_length}
    return _with_training(resolved, {name: value for name, value in values.items() if name in left_open})


def with_model(
    prepared: Prepared, situation: Situation, count: Callable[[Resolved], int | None]
) -> tuple[Resolved, dict[str, str]]:
    """Let the model and the optimizer size themselves, now that the tokens are counted.

    Args:
        prepared: the text as tokens, and the choices.
        situation: budget and machine.
        count: parameters of the model that is chosen, as `Situation.n_parameters` has them.

    Returns:
        The choices with what was advised, and the reasons by stage.

    Raises:
        EngineError: an implementation's advice fails or is wrong.
    """
    resolved, reasons = prepared.resolved, {"tokenizer": prepared.reason}
    known = _known(prepared, situation)
    for stage in ("model", "optimizer"):
        if stage == "optimizer" and resolved.offers[stage].record.advise:
            limit = resolved.recipe.training.max_epochs
            known = dataclasses.replace(
                known,
                n_parameters=count(resolved),
                max_tokens=limit * max(prepared.train.n_tokens, 1) if limit else None,
            )
        resolved, advice = advised(resolved, stage, known)
        reasons[stage] = advice.reason
        if advice.max_tokens is not None and _ends_early(resolved):
            most = max(1.0, round(advice.max_tokens / max(prepared.train.n_tokens, 1), 1))
            resolved = _with_training(resolved, {"max_epochs": most})
    return resolved, {stage: reason for stage, reason in reasons.items() if reason}


def _known(prepared: Prepared, situation: Situation) -> Situation:
    training, budget = prepared.resolved.recipe.training, prepared.resolved.recipe.budget()
    n_tokens = max(prepared.train.n_tokens, 1)
    tokens = {
        "steps": budget.amount * training.batch_size * training.context_length,
        "bytes": budget.amount * n_tokens / max(prepared.train.n_bytes, 1),
        "epochs": budget.amount * n_tokens,
    }
    return dataclasses.replace(
        situation,
        train_bytes=prepared.train.n_bytes,
        n_train_tokens=n_tokens,
        vocab_size=prepared.vocab_size,
        tokens=tokens.get(budget.unit),
        context_length=training.context_length,
        batch_size=training.batch_size,
        starts_from_run=prepared.resolved.recipe.start.run is not None,
    )


def _ends_early(resolved: Resolved) -> bool:
    """Say whether a limit of passes may end the training: where the budget is no amount of text that the user asked for."""
    return resolved.recipe.budget().unit in ("seconds", "flops") and "max_epochs" in resolved.open.get("training", ())


def _with_training(resolved: Resolved, values: dict[str, object]) -> Resolved:
    training = changed(resolved.recipe.training, **values)
    return dataclasses.replace(resolved, recipe=resolved.recipe.replace(training=training))


def situation_of(resolved: Resolved, machine: Machine, world: World) -> Situation:
    """Return what is known before the text is read: the budget and the machine."""
    budget, training = resolved.recipe.budget(), resolved.recipe.training
    asked = any(getattr(offer.record, "advise", "") and resolved.open[stage] for stage, offer in resolved.offers.items())
    per_step = training.batch_size * training.context_length
    rate = known_rate(machine, world) if asked and _is_long(budget, per_step) else 0.0
    seconds = budget.amount if budget.unit == "seconds" else None
    flops = budget.amount if budget.unit == "flops" else seconds * rate if seconds is not None and rate else None
    return Situation(
        train_bytes=0,
        tokens=budget.amount * per_step if budget.unit == "steps" else None,
        flops=flops,
        seconds=seconds,
        flops_per_second=rate,
        free_memory=world.mean(free_memory(machine.device)),
        device=machine.device.type,
        context_length=training.context_length,
        batch_size=training.batch_size,
    )


def _is_long(budget: Budget, tokens_per_step: int) -> bool:
    """Say whether the machine's speed matters: for time always, for arithmetic never, for text where it is much."""
    if budget.unit == "steps":
        return budget.amount * tokens_per_step > FEW_TOKENS
    return budget.unit in ("seconds", "epochs") or (budget.unit == "bytes" and budget.amount > FEW_TOKENS)


def known_rate(machine: Machine, world: World) -> float:
    """Return the operations per second that an earlier run had on this machine; a measured guess before the first."""
    noted = _noted(machine, world)
    return world.mean(noted) if noted else PRODUCTS_SHARE * measured_rate(machine, world)


def corrected(situation: Situation, cost: Estimate, machine: Machine, world: World) -> Situation | None:
    """Return what is known once a step of the chosen size was timed, or None where the machine is about as fast as was thought.

    What was found is noted. A size must not hang on how busy the machine was for a moment, so a noted speed holds until the
    machine is found to be `SAME_SPEED` times faster or slower: the same command, and each arm of a comparison, gets the same.
    """
    if not cost.flops_per_step or situation.seconds is None:
        return None
    rate = cost.flops_per_step / max(cost.seconds_per_step, 1e-9)
    close = 1 / SAME_SPEED < rate / situation.flops_per_second < SAME_SPEED
    if not (close and _noted(machine, world)) and world.is_first:
        with contextlib.suppress(OSError):  # it is found out again next time
            place = _place(machine, world)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, json.dumps({"flops_per_second": rate}) + "\n")
    return None if close else dataclasses.replace(situation, flops=rate * situation.seconds, flops_per_second=rate)


def noted_rate(machine: Machine) -> float:
    """Return the operations per second that an earlier run had on this machine in one process; 0 where none is noted."""
    return _noted(machine, World())


def _noted(machine: Machine, world: World) -> float:
    place = _place(machine, world)
    with contextlib.suppress(EngineError, OSError, KeyError, TypeError, ValueError):
        return max(0.0, float(read_json(place)["flops_per_second"])) if place.is_file() else 0.0
    return 0.0


def _place(machine: Machine, world: World) -> Path:
    return cache_directory() / "speed" / f"{machine.device.type}-{machine.precision}-{machine.threads}-{world.size}.json"


def measured_rate(machine: Machine, world: World) -> float:
    """Return the operations per second of a small training step, of all processes together: two MLPs, a head, a softmax."""
    large = machine.device.type != "cpu"
    width, rows = (1024, 8192) if large else (128, 1024)
    generator = torch.Generator().manual_seed(0)

    def matrix(*shape: int) -> torch.Tensor:
        drawn: torch.Tensor = torch.randn(shape, generator=generator) / width**0.5
        return drawn.to(machine.device).requires_grad_()

    weights = [matrix(width, 4 * width), matrix(4 * width, width), matrix(width, 4 * width), matrix(4 * width, width)]
    head, inputs = matrix(width, 8 * width), matrix(rows, width).detach()
    targets = torch.arange(rows, device=machine.device) % (8 * width)

    def step(n: int) -> float:
        began = time.perf_counter()
        x = inputs[:n]
        with machine.autocast():
            for up, down in zip(weights[::2], weights[1::2], strict=True):
                x = F.rms_norm(x, (width,))
                x = x + F.relu(x @ up).square() @ down
            logits = F.rms_norm(x, (width,)) @ head
        F.cross_entropy(logits.float(), targets[:n]).backward()
        machine.synchronize()
        return time.perf_counter() - began

    step(rows // 8)
    seconds: list[float] = []
    while not seconds or sum(seconds) < MEASURING:
        seconds.append(step(rows))
    flops = 6 * rows * sum(weight.numel() for weight in (*weights, head))
    return world.mean(flops / statistics.median(seconds)) * world.size
