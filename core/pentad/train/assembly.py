"""From a recipe to a job: every part of a training is made, and nothing moves yet."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pentad.contracts.adapter import ModelAdapter
from pentad.contracts.evaluator import Evaluated
from pentad.contracts.model import Model
from pentad.contracts.observer import Observers, Preparation, RunObserver
from pentad.contracts.optimizer import NamedParameter, Optimization
from pentad.contracts.session import Session
from pentad.contracts.situation import Situation
from pentad.data.corpus import keep_pipes
from pentad.data.preparation import Kept, Prepared, prepare
from pentad.inference.net import ModelNet
from pentad.inference.scoring import find_evaluator
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import Resolved
from pentad.runs.checkpoint import TrainingState
from pentad.runs.initial import adapt, frozen_by, frozen_copy, restore_initial
from pentad.runs.saved_run import make_model, make_sampler
from pentad.runs.start import Start
from pentad.system.errors import UsageError
from pentad.system.machine import Machine, compiler_for, pick_machine, prepare_process
from pentad.system.processes import World, join_world
from pentad.train.estimate import Estimate, estimate
from pentad.train.job import Job, session_of
from pentad.train.memory import count_inner, free_memory, refuse_large_model, sizes_of
from pentad.train.sizing import corrected, situation_of, with_examples, with_model
from pentad.train.trainer import Trainer, named_parameters

if TYPE_CHECKING:
    pass

WORTH_COMPILING = {"cpu": 900.0, "cuda": 120.0}
"""Seconds of training from which torch.compile wins its own time back: it takes 10 to 60 s and saves about a tenth on a CPU,
a third or more on a GPU."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Earlier:
    """What a resumed run has decided already: its preparation, what a step costs, whether the model is compiled."""

    folder: Path
    kept: Kept
    cost: Estimate
    compiled: bool


def assemble(
    resolved: Resolved,
    catalogue: Catalogue,
    observer: Observers,
    earlier: Earlier | None = None,
    start: Start | None = None,
) -> Job:
    """Make every part of a run.

    Args:
        resolved: every choice.
        catalogue: what is installed.
        observer: told how the preparation goes.
        earlier: of the run that is resumed, or None for a new one.
        start: the run that a new one starts from, or None.

    Raises:
        UsageError, EngineError: as for `run`.
    """
    prepare_process()
    wanted = resolved.recipe.machine
    for stage in ("model", "optimizer", "sampler"):
        resolved.offers[stage].resolve()  # a broken implementation is found before the text is read
    machine = pick_machine(wanted.device, wanted.precision, wanted.threads)
    world = join_world(machine.device)
    observer = observer if world.is_first else Observers(())
    kept, from_start = earlier.kept if earlier else None, start.tokenizer if start else None
    resolved = _with_pipes_kept(resolved)
    situation = None if earlier else situation_of(resolved, machine, world)
    resolved = with_examples(resolved, situation) if situation else resolved
    prepared = prepare(resolved, catalogue, observer, kept, from_start, situation)
    resolved, sizing = with_model(prepared, situation, _counting(prepared, machine)) if situation else (prepared.resolved, {})
    if situation and "model" in sizing and start is None:
        resolved, sizing = _at_its_speed(resolved, sizing, prepared, situation, machine, world, observer)
    training = resolved.recipe.training
    if earlier is None:
        _refuse_large(resolved, prepared, machine)
    model = make_model(resolved, prepared.vocabulary, prepared.builder, machine)
    started = restore_initial(earlier.folder, model) if earlier else start is not None
    if start is not None:
        start.put_into(model, prepared.vocabulary, training.seed)
    initial = None if start is None else dict(model.state_dict())
    learns = any(parameter.requires_grad for parameter in model.parameters())
    if not learns and world.size > 1:
        raise UsageError(
            "A model that learns by counting trains in one process.", "Start it without torchrun.", code="one-process-only"
        )
    reference = _reference(prepared, model, machine, started)
    adapter = _adapt(model, resolved, prepared, started)
    net = ModelNet(model, machine, vocabulary=prepared.vocabulary, reference=reference)

    def session(of: Model) -> Session:
        return session_of(of, machine, prepared)

    cost = earlier.cost if earlier else _measure(resolved, prepared, net, learns, world, observer, session)
    steps, most_steps = _steps(resolved, prepared, cost)
    seconds = resolved.recipe.budget().amount if steps is None else steps * cost.seconds_per_step
    seconds = min(seconds, most_steps * cost.seconds_per_step) if most_steps else seconds
    compiled = earlier.compiled if earlier else learns and _compiles(wanted.compile, machine, seconds)
    optimization = make_optimization(resolved, named_parameters(model)) if learns else None
    if compiled:
        net = ModelNet(model, machine, vocabulary=prepared.vocabulary, forward=_compile(model), reference=reference)
    evaluated = Evaluated(tokenizer=prepared.tokenizer, builder=prepared.builder, model=model)
    evaluator, unsupported = find_evaluator(prepared.builder.evaluators, evaluated, catalogue)
    return Job(
        resolved=resolved,
        prepared=prepared,
        machine=machine,
        world=world,
        model=model,
        sampler=make_sampler(resolved, catalogue, None, prepared.tokenizer, prepared.vocabulary),
        evaluator=evaluator,
        unsupported=unsupported,
        optimization=optimization,
        trainer=Trainer(net, optimization, prepared.builder, prepared.train.tokens, training, world, session),
        cost=cost,
        compiled=compiled,
        steps=steps,
        most_steps=most_steps,
        sizing=sizing,
        state=TrainingState(step=0, seconds=0.0, tokens=0, steps=steps, tokenizer=prepared.tokenizer_fingerprint),
        observer=observer,
        start=start,
        initial=initial,
        left_out=frozen_by(model, adapter),
    )


def _at_its_speed(
    resolved: Resolved,
    sizing: dict[str, str],
    prepared: Prepared,
    situation: Situation,
    machine: Machine,
    world: World,
    observer: RunObserver,
) -> tuple[Resolved, dict[str, str]]:
    """Time a step of the chosen size, and choose again where the machine is much faster or slower than was thought.

    A small model on a fast device spends its time elsewhere than in products, so no measurement but its own tells.
    """
    if situation.seconds is None:
        return resolved, sizing
    _refuse_large(resolved, prepared, machine)
    model = make_model(resolved, prepared.vocabulary, prepared.builder, machine)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        return resolved, sizing
    reference = _reference(prepared, model, machine, False)
    net = ModelNet(model, machine, vocabulary=prepared.vocabulary, reference=reference)
    cost = _measure(resolved, prepared, net, True, world, observer, lambda of: session_of(of, machine, prepared))
    found = corrected(situation, cost, machine, world)
    return with_model(prepared, found, _counting(prepared, machine)) if found else (resolved, sizing)


def _reference(prepared: Prepared, model: Model, machine: Machine, started: bool) -> ModelNet | None:
    """Return the model as it is now, frozen, where the objective compares with it.

    Raises:
        UsageError: the run starts from no other.
    """
    objective = prepared.builder.objective()
    if objective is None or not objective.needs_reference:
        return None
    if not started:
        raise UsageError(
            f"The objective {objective.name} compares the model with the run that it starts from; found no such run.",
            "Use --start RUN.",
            code="reference-missing",
        )
    return ModelNet(frozen_copy(model), machine, vocabulary=prepared.vocabulary)


def _adapt(model: Model, resolved: Resolved, prepared: Prepared, started: bool) -> ModelAdapter | None:
    if "adapter" in resolved.offers and not started:
        raise UsageError(
            f"The adapter {resolved.offers['adapter'].name} changes a trained model; found no run to start from.",
            "Use --start RUN.",
            code="adapter-without-start",
        )
    return adapt(model, resolved, prepared.vocabulary)


def _refuse_large(resolved: Resolved, prepared: Prepared, machine: Machine) -> None:
    """Make sure that the model fits, before it is made."""
    on_meta = dataclasses.replace(machine, device=torch.device("meta"))
    sizes = sizes_of(
        lambda: make_model(resolved, prepared.vocabulary, prepared.builder, on_meta),
        lambda parameters: make_optimization(resolved, parameters),
        free_memory(machine.device),
    )
    refuse_large_model(sizes, machine.device)


def _counting(prepared: Prepared, machine: Machine) -> Callable[[Resolved], int | None]:
    """Return what counts the parameters of a chosen model, which it makes without memory for them."""
    on_meta = dataclasses.replace(machine, device=torch.device("meta"))
    return lambda resolved: count_inner(lambda: make_model(resolved, prepared.vocabulary, prepared.builder, on_meta))


def _with_pipes_kept(resolved: Resolved) -> Resolved:
    data = resolved.recipe.data
    if "-" not in (*data.sources, *data.held_out_sources):
        return resolved
    data = dataclasses.replace(data, sources=keep_pipes(data.sources), held_out_sources=keep_pipes(data.held_out_sources))
    return dataclasses.replace(resolved, recipe=resolved.recipe.replace(data=data))


def make_optimization(resolved: Resolved, parameters: list[NamedParameter]) -> Optimization:
    """Return the recipe's optimizers over a model's parameters."""
    optimization: Optimization = resolved.offers["optimizer"].make(resolved.options["optimizer"], parameters)
    return optimization


def _measure(
    resolved: Resolved,
    prepared: Prepared,
    net: ModelNet,
    learns: bool,
    world: World,
    observer: RunObserver,
    session: Callable[[Model], Session],
) -> Estimate:
    """Measure a few steps of this process's share of the examples; all processes come to the same figures."""
    observer.on_preparation(Preparation(what="Measuring a few steps"))
    training = resolved.recipe.training
    share = dataclasses.replace(training, batch_size=-(-training.batch_size // world.size))

    def optimize(parameters: list[NamedParameter]) -> Optimization:
        return make_optimization(resolved, parameters)

    cost = estimate(net, optimize if learns else None, prepared.builder, prepared.train.tokens, share, session)
    return dataclasses.replace(
        cost,
        flops_per_step=cost.flops_per_step * training.batch_size / share.batch_size,
        seconds_per_step=world.mean(cost.seconds_per_step),
    )


def _steps(resolved: Resolved, prepared: Prepared, cost: Estimate) -> tuple[int | None, int | None]:
    """Return the steps that the budget pays for, None for time; and those that it may have at the most, None for no limit."""
    training = resolved.recipe.training
    per_step = training.batch_size * training.context_length * prepared.train.n_bytes / prepared.train.n_tokens
    budget = resolved.recipe.budget()
    if budget.unit == "flops" and not cost.flops_per_step:
        raise UsageError(
            f"A budget of arithmetic needs a model whose arithmetic is counted; found none in {resolved.offers['model'].name}.",
            "Use --steps, or a budget of text: --budget 50MB.",
            code="arithmetic-unknown",
        )
    per_epoch = prepared.builder.count(prepared.train.tokens) / training.batch_size
    most = math.ceil(training.max_epochs * per_epoch) if training.max_epochs else None
    paid = budget.steps(flops_per_step=cost.flops_per_step, bytes_per_step=per_step, steps_per_epoch=per_epoch)
    return (min(paid, most) if paid and most else paid), most


def _compiles(wish: str, machine: Machine, seconds: float) -> bool:
    compiler = compiler_for(machine.device)
    if wish == "on" and compiler is None:
        raise UsageError(
            "--compile on needs a C++ compiler (CPU) or triton (CUDA); found none.",
            "Use --compile auto.",
            code="compiler-missing",
        )
    if wish == "auto":
        return compiler is not None and seconds > WORTH_COMPILING.get(machine.device.type, float("inf"))
    return wish == "on"


def _compile(model: Model) -> Any:
    return torch.compile(model)
