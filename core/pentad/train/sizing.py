"""Sizes that the user left open, chosen for the text, the budget and the machine, before anything is made.

Core sizes the examples of a step by the arithmetic that the budget buys. Implementations size themselves (`advise`): the
tokenizer by the text, then the model, and the optimizer when a step was timed. What a second buys hangs on the size itself, as
small products are slow; so it is noted by the operations of a step, guessed from what is noted, and found out by timing what
was chosen, until that is what its own speed asks for. More time must never buy less, so what was planned is noted as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from pentad.config.budget import Budget
from pentad.config.options import changed
from pentad.config.tables import MachineOptions, TrainingOptions
from pentad.contracts.situation import LONGEST, Advice, Situation
from pentad.data.preparation import Prepared
from pentad.registry.resolving import SIZED_BY_CORE, Resolved, advised
from pentad.speed.measured import measured_rate
from pentad.speed.noted import Speeds
from pentad.system.machine import Machine, compiler_for, machine_name
from pentad.system.processes import World
from pentad.train.computing.kernels import allowed_seconds
from pentad.train.estimate import Estimate
from pentad.train.memory import free_memory

ROUNDS = 3
"""Sizes that are made and timed at the most: the first is a guess, the second nearly always right."""

PRODUCTS_SHARE = 0.5
"""What a whole training reaches of the speed of its products alone: the first guess, which a timed step corrects."""

FEW_TOKENS = 5e5
"""A training on fewer tokens than this is short on every machine, so nothing is measured for it."""

EXAMPLES = (
    (2e12, 1024, 128),
    (8e12, 1024, 256),
    (3e13, 1024, 512),
    (2e14, 2048, 512),
    (1e15, 8192, 512),
    (float("inf"), 16_384, 512),
)
"""Arithmetic below which a step has so many tokens, in examples of so many. The first four rows are measured (docs/sizing.md),
the last has the tokens that nanoGPT gives to some 5e15 operations, and the fifth lies between."""


def with_examples(resolved: Resolved, situation: Situation) -> Iterator[Resolved]:
    """Yield the choices with the examples of a step by the arithmetic that the budget buys, as far as they are open.

    Then with fewer, where so many do not suit (see `with_model`).
    """
    left_open = SIZED_BY_CORE & resolved.open.get("training", frozenset())
    if situation.flops is None or resolved.recipe.start.run is not None or not left_open & {"batch_size", "context_length"}:
        yield resolved
        return
    for values in _examples(situation.flops, resolved.recipe.training, left_open):
        yield _with_training(resolved, values)


def _examples(flops: float, training: TrainingOptions, left_open: AbstractSet[str]) -> list[dict[str, int]]:
    """Return what is open of a step's examples for so many operations, and then of fewer and fewer."""
    row = next(number for number, (limit, *_) in enumerate(EXAMPLES) if flops < limit)
    return [_of_row(tokens, length, training, left_open) for _, tokens, length in EXAMPLES[row::-1]]


def _of_row(tokens: int, length: int, training: TrainingOptions, left_open: AbstractSet[str]) -> dict[str, int]:
    """Return as many examples as have so many tokens; where their length is given, of that."""
    length = length if "context_length" in left_open else training.context_length
    values = {"batch_size": max(1, tokens // length), "context_length": length}
    return {name: value for name, value in values.items() if name in left_open}


def _tokens(training: TrainingOptions) -> int:
    return training.batch_size * training.context_length


def with_batch(resolved: Resolved, examples: Resolved) -> Resolved:
    """Return the choices with as many examples a step as others have."""
    wanted = examples.recipe.training.batch_size
    return resolved if wanted == resolved.recipe.training.batch_size else _with_training(resolved, {"batch_size": wanted})


def with_model(
    prepared: Prepared, situation: Situation, count: Callable[[Resolved], int | None]
) -> tuple[Resolved, dict[str, str], bool]:
    """Let the model size itself, now that the tokens are counted.

    A model has the size that it has with the fewest examples: what a large step keeps in memory, and costs for its longer
    context, must not make a model smaller that has more time.

    Args:
        prepared: the text as tokens, and the choices.
        situation: budget and machine.
        count: parameters of the model that is chosen, as `Situation.n_parameters` has them.

    Returns:
        The choices with what was advised, the reasons by stage, and whether the examples of a step suit that model: they leave
        room for it in memory, and are not more than what it spends asks for, where the text ends the training.

    Raises:
        EngineError: an implementation's advice fails or is wrong.
    """
    resolved, reasons = prepared.resolved, {"tokenizer": prepared.reason}
    known = _known(prepared, situation)
    few = _with_fewest(resolved, known)
    sized, advice = advised(resolved, "model", few)
    reasons["model"] = advice.reason
    suit = few == known or _suit(resolved, known, advice, count(sized) or 0, count)
    return _limited(sized, advice, prepared), {stage: reason for stage, reason in reasons.items() if reason}, suit


def _suit(
    resolved: Resolved, known: Situation, advice: Advice, n_parameters: int, count: Callable[[Resolved], int | None]
) -> bool:
    """Say whether the examples of a step, where core chose them, suit a model of so many parameters."""
    flops = known.flops or 0.0
    if advice.max_tokens is not None and _ends_early(resolved):
        flops = min(flops, 6 * n_parameters * advice.max_tokens)  # of the blocks alone, which are the most
    training, left_open = resolved.recipe.training, resolved.open.get("training", frozenset())
    most = _examples(flops, training, left_open)[0]
    if _tokens(training) > _tokens(changed(training, **most)):
        return False
    roomy, _ = advised(resolved, "model", dataclasses.replace(known, flops=2 * (known.flops or 0.0)))
    return (count(roomy) or 0) >= n_parameters  # with as much arithmetic as it wants, only memory can make it smaller


def with_optimizer(
    prepared: Prepared, resolved: Resolved, situation: Situation, count: Callable[[Resolved], int | None], steps: int
) -> tuple[Resolved, dict[str, str]]:
    """Let the optimizer size itself, now that a step was timed: it is told how many there will be.

    Args:
        prepared, situation, count: as for `with_model`.
        resolved: the choices, the model's among them.
        steps: of the whole training.

    Returns:
        The choices with what was advised, and the reason.

    Raises:
        EngineError: the advice fails or is wrong.
    """
    if not resolved.offers["optimizer"].record.advise:
        return resolved, {}
    training = resolved.recipe.training
    limit = training.max_epochs
    known = dataclasses.replace(
        _known(prepared, situation),
        n_parameters=count(resolved),
        tokens=float(steps * training.batch_size * training.context_length),
        max_tokens=limit * max(prepared.train.n_tokens, 1) if limit else None,
    )
    resolved, advice = advised(resolved, "optimizer", known)
    return _limited(resolved, advice, prepared), {"optimizer": advice.reason} if advice.reason else {}


def _limited(resolved: Resolved, advice: Advice, prepared: Prepared) -> Resolved:
    """End a training where more would not help."""
    if advice.max_tokens is None or not _ends_early(resolved):
        return resolved
    return _with_training(resolved, {"max_epochs": max(1.0, round(advice.max_tokens / max(prepared.train.n_tokens, 1), 1))})


def _with_fewest(resolved: Resolved, known: Situation) -> Situation:
    """Return what is known if a step had the fewest examples that core gives it, where it may choose them."""
    left_open = resolved.open.get("training", frozenset())
    if known.flops is None or known.starts_from_run:
        return known
    few = changed(resolved.recipe.training, **_of_row(*EXAMPLES[0][1:], resolved.recipe.training, left_open))
    return dataclasses.replace(
        known,
        batch_size=few.batch_size,
        context_length=few.context_length,
        trained_context_length=known.context_length if known.context_length != few.context_length else None,
    )


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


def _with_training(resolved: Resolved, values: Mapping[str, object]) -> Resolved:
    training = changed(resolved.recipe.training, **values)
    return dataclasses.replace(resolved, recipe=resolved.recipe.replace(training=training))


def speeds_of(resolved: Resolved, machine: Machine, world: World) -> Speeds:
    """Return what is noted of this machine for these choices."""
    budget = resolved.recipe.budget()
    brief = budget.unit == "seconds" and not allowed_seconds(budget.amount)
    options = resolved.recipe.machine
    early = compiles_early(options, machine, world) and compiler_for(machine.device) is not None
    facts = (machine.precision, machine.threads, world.size)
    return Speeds.of(resolved, machine_name(machine), facts, brief=brief, compiles=options.compile if early else "off")


def compiles_early(options: MachineOptions, machine: Machine, world: World) -> bool:
    """Say whether a model that is compiled is so before its training, and measured: on a CPU, in one process.

    Elsewhere its first step compiles it. So it does where blocks are computed again, as who wants that wants memory.
    """
    return machine.device.type == "cpu" and world.size == 1 and not options.recompute


def situation_of(resolved: Resolved, speeds: Speeds, machine: Machine, world: World) -> Situation:
    """Return what is known before the text is read: the budget, the machine, and what is noted of its speed."""
    budget, training = resolved.recipe.budget(), resolved.recipe.training
    asked = any(getattr(offer.record, "advise", "") and resolved.open[stage] for stage, offer in resolved.offers.items())
    per_step = training.batch_size * training.context_length
    seconds = budget.amount if budget.unit == "seconds" else None
    rate, flops = 0.0, budget.amount if budget.unit == "flops" else None
    if asked and _is_long(budget, per_step):
        noted = _of_first(world, speeds.expected(seconds or LONGEST) if world.is_first else 0.0)
        rate = noted or PRODUCTS_SHARE * measured_rate(machine, world)
        if seconds is not None:
            flops = _of_first(world, speeds.in_order(seconds, rate * speeds.bought(seconds)))
            rate = flops / seconds
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


def corrected(situation: Situation, cost: Estimate, share: float, speeds: Speeds, world: World) -> Situation | None:
    """Note how fast a step of what was chosen is, and return what is known with it; None where its speed does not matter.

    Args:
        situation: by which it was chosen.
        cost: of a step.
        share: of a core that the steps had, see `CoreShare`.
        speeds: what is noted of the machine.
        world: whose first process notes.
    """
    if not cost.flops_per_step or situation.seconds is None or situation.flops is None:
        return None
    speeds.note(cost.flops_per_step, cost.flops_per_step / max(cost.seconds_per_step * share, 1e-9))
    rate = speeds.rate(cost.flops_per_step)
    flops = _of_first(world, speeds.in_order(situation.seconds, rate * speeds.bought(situation.seconds)))
    return dataclasses.replace(situation, flops=flops, flops_per_second=flops / situation.seconds)


def _of_first(world: World, number: float) -> float:
    """Return the first process's number in every process: each may have a cache of its own, and all must choose the same."""
    return world.mean(number if world.is_first else 0.0) * world.size
