"""From a recipe to a job: every part of a training is made, and nothing moves yet."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pentad.contracts.evaluator import Evaluated
from pentad.contracts.model import Model
from pentad.contracts.observer import Observers
from pentad.contracts.session import Session
from pentad.contracts.situation import Situation
from pentad.data.corpus import keep_pipes
from pentad.data.preparation import Kept, Prepared, prepare
from pentad.inference.generation import make_sampler
from pentad.inference.scoring import find_evaluator
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import Resolved, advised
from pentad.runs.checkpoint import TrainingState
from pentad.runs.start import Start
from pentad.speed.measured import CoreShare
from pentad.system.deferred import defer_dynamo
from pentad.system.errors import UsageError
from pentad.system.machine import (
    asked_threads,
    machine_name,
    pick_machine,
    prepare_process,
)
from pentad.system.processes import join_world
from pentad.train.chosen import (
    Chosen,
    compiled_again,
    compiled_early,
    compiled_in_first_step,
    refuse_without_compiler,
)
from pentad.train.computing.kernels import Kernels, every_kernel, same_kernels
from pentad.train.estimate import Estimate
from pentad.train.evaluating import memory_with_evaluation
from pentad.train.job import Job, planned_steps, session_of
from pentad.train.learner import (
    Learner,
    Place,
    counting,
    find_kernels,
    make_learner,
    make_optimization,
    measure,
    refuse_large,
    refuse_unknown_kernels,
    replays,
    wish_of,
)
from pentad.train.sizing import (
    ROUNDS,
    corrected,
    situation_of,
    speeds_of,
    with_batch,
    with_examples,
    with_model,
    with_optimizer,
)
from pentad.train.trainer import Trainer, named_parameters


@dataclasses.dataclass(frozen=True, kw_only=True)
class Earlier:
    """What a resumed run has decided already: its preparation, what a step costs, whether the model is compiled, the seconds
    that this took of its budget, what engine.json says of its kernels, and its threads.
    """

    folder: Path
    kept: Kept
    cost: Estimate
    compiled: bool
    compiling_seconds: float
    kernels: Mapping[str, Any]
    threads: int


def assemble(
    resolved: Resolved,
    catalogue: Catalogue,
    observer: Observers,
    earlier: Earlier | None = None,
    start: Start | None = None,
    *,
    only_planned: bool = False,
) -> Job:
    """Make every part of a run.

    Args:
        resolved: every choice.
        catalogue: what is installed.
        observer: told how the preparation goes.
        earlier: of the run that is resumed, or None for a new one.
        start: the run that a new one starts from, or None.
        only_planned: whether it will not be trained: on a CPU nothing is compiled then, elsewhere nothing unasked.

    Raises:
        UsageError, EngineError: as for `run`.
    """
    place = dataclasses.replace(_place(resolved, observer), only_planned=only_planned)
    resolved = _with_pipes_kept(resolved)
    if earlier is None:
        prepared, chosen = choose(resolved, catalogue, place, start)
    else:
        prepared = prepare(resolved, catalogue, place.observer, earlier.kept)
        learner = make_learner(prepared.resolved, prepared, place, resumed=earlier.folder)
        chosen = _as_before(earlier, learner, prepared, place)
    steps, most_steps = _steps(chosen.resolved, prepared, chosen.cost)
    before = None if earlier is None else earlier.compiled
    compiled = chosen.compiled or compiled_in_first_step(chosen, place, _seconds(chosen, steps, most_steps), before)
    place = dataclasses.replace(place, machine=chosen.kernels.machine(place.machine))
    job = _join(chosen, prepared, catalogue, place, steps=steps, most_steps=most_steps, compiled=compiled)
    if earlier is None:
        job.cost = dataclasses.replace(job.cost, memory_bytes=memory_with_evaluation(job))
    return job


def _place(resolved: Resolved, observer: Observers) -> Place:
    """Find the device and the processes, and before the text, which may take long to read, what is broken or not there."""
    prepare_process()
    for stage in ("model", "optimizer", "sampler"):
        resolved.offers[stage].resolve()
    wanted = resolved.recipe.machine
    machine = pick_machine(wanted.device, wanted.precision, wanted.threads)
    refuse_unknown_kernels(resolved)
    world = join_world(machine.device)
    if wanted.compile != "on" and world.size == 1:  # DistributedDataParallel imports it in its first step
        defer_dynamo()
    return Place(machine=machine, world=world, observer=observer if world.is_first else Observers(()))


def _with_pipes_kept(resolved: Resolved) -> Resolved:
    data = resolved.recipe.data
    if "-" not in (*data.sources, *data.held_out_sources):
        return resolved
    data = dataclasses.replace(data, sources=keep_pipes(data.sources), held_out_sources=keep_pipes(data.held_out_sources))
    return dataclasses.replace(resolved, recipe=resolved.recipe.replace(data=data))


def choose(resolved: Resolved, catalogue: Catalogue, place: Place, start: Start | None) -> tuple[Prepared, Chosen]:
    """Size everything by what the budget buys, make it and time it; again with the speed that was found, until the sizes stay.

    A small model on a fast device spends its time elsewhere than in products, so no measurement but its own tells.
    """
    refuse_without_compiler(resolved.recipe.machine.compile, place.machine)
    size, speeds = _Sizes(resolved, catalogue, place, start), speeds_of(resolved, place.machine, place.world)
    situation = situation_of(resolved, speeds, place.machine, place.world)
    sized = size(situation)
    for left in reversed(range(ROUNDS)):
        chosen = _make_and_measure(sized, place, start)
        learns = chosen.learner.learns and start is None
        found = corrected(situation, chosen.cost, chosen.core_share, speeds, place.world) if learns else None
        again = size(found) if found else sized
        if again.alike == sized.alike:
            situation, sized = found or situation, again
            break
        if left:
            situation, sized = found or situation, again
            del chosen  # the memory of one model is enough
    if found and place.world.is_first:
        speeds.keep(situation.seconds or 0.0, situation.flops or 0.0, chosen.cost.flops_per_step)
    paid = _steps(sized.resolved, sized.prepared, chosen.cost)
    chosen = compiled_early(chosen, sized.prepared, place, speeds, _seconds(chosen, *paid))
    steps = planned_steps(sized.resolved.recipe, chosen.cost, *paid, chosen.compiling_seconds)
    final, reason = with_optimizer(sized.prepared, sized.resolved, situation, counting(sized.prepared, place.machine), steps)
    return sized.prepared, dataclasses.replace(chosen, resolved=final, sizing={**sized.reasons, **reason})


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Sized:
    """The text as tokens, the choices with every size but the optimizer's, and the reasons by stage."""

    prepared: Prepared
    resolved: Resolved
    reasons: Mapping[str, str]

    @property
    def alike(self) -> tuple[object, ...]:
        """What makes a step the same as another one."""
        training = self.resolved.recipe.training
        stages = (self.resolved.options[stage] for stage in ("tokenizer", "model"))
        return (*stages, training.batch_size, training.context_length)


class _Sizes:
    """Chooses the sizes for a situation. The text is prepared once for each vocabulary and context length."""

    def __init__(self, resolved: Resolved, catalogue: Catalogue, place: Place, start: Start | None) -> None:
        self._resolved, self._catalogue, self._place, self._start = resolved, catalogue, place, start
        self._prepared: list[tuple[object, Prepared]] = []

    def __call__(self, situation: Situation) -> _Sized:
        """Return what a situation asks for.

        Raises:
            UsageError, EngineError: as for `prepare` and `with_model`.
        """
        for examples in with_examples(self._resolved, situation):
            prepared = self._prepare(examples, situation)
            resolved, reasons, suited = with_model(prepared, situation, counting(prepared, self._place.machine))
            if suited:
                break
        return _Sized(prepared=prepared, resolved=resolved, reasons=reasons)

    def _prepare(self, examples: Resolved, situation: Situation) -> Prepared:
        for known, prepared in self._prepared:
            if known == self._text(examples, situation, prepared):
                return dataclasses.replace(prepared, resolved=with_batch(prepared.resolved, examples))
        kept = self._start.tokenizer if self._start else None
        prepared = prepare(examples, self._catalogue, self._place.observer, None, kept, situation)
        self._prepared.append((self._text(examples, situation, prepared), prepared))
        return prepared

    @staticmethod
    def _text(examples: Resolved, situation: Situation, prepared: Prepared) -> tuple[object, int]:
        """Return what decides how the text is prepared: the tokenizer's options, and the context length that is wanted."""
        known = dataclasses.replace(situation, train_bytes=prepared.split.train.n_bytes)
        tokenizer, _ = advised(examples, "tokenizer", known)
        return tokenizer.options["tokenizer"], examples.recipe.training.context_length


def _make_and_measure(sized: _Sized, place: Place, start: Start | None) -> Chosen:
    resolved, prepared = sized.resolved, sized.prepared
    refuse_large(resolved, prepared, place.machine)
    return _measured(resolved, sized.reasons, make_learner(resolved, prepared, place, start=start), prepared, place)


def _measured(
    resolved: Resolved,
    sizing: Mapping[str, str],
    learner: Learner,
    prepared: Prepared,
    place: Place,
    earlier: Earlier | None = None,
) -> Chosen:
    """Choose the kernels, and time a step by them."""
    wish = wish_of(learner.model, resolved)
    usual = Kernels.usual(place.machine, wish)
    cost, share = _cost(usual, resolved, learner, prepared, place)
    chosen = Chosen(resolved=resolved, sizing=sizing, learner=learner, cost=cost, kernels=usual, core_share=share)
    steps, most_steps = _steps(resolved, prepared, cost)
    seconds = _seconds(chosen, steps, most_steps)
    before = None if earlier is None else earlier.compiled
    if place.machine.device.type != "cpu" and compiled_in_first_step(chosen, place, seconds, before):
        return chosen  # what is slow on a GPU before compiling is launching, which is what compiling does away with
    kernels = find_kernels(learner, resolved, prepared, place, cost, seconds, wish)
    if dataclasses.replace(kernels, measured=False) == usual:
        return dataclasses.replace(chosen, kernels=kernels)
    try:
        cost, share = _cost(kernels, resolved, learner, prepared, place)
    except UsageError:  # such kernels may keep more, and what is usual fits
        usual.machine(place.machine)
        return dataclasses.replace(chosen, kernels=dataclasses.replace(usual, measured=True))
    return dataclasses.replace(chosen, cost=cost, kernels=kernels, core_share=share)


def _cost(kernels: Kernels, resolved: Resolved, learner: Learner, prepared: Prepared, place: Place) -> tuple[Estimate, float]:
    """Measure a step by these kernels; return its cost, and the share of a core that there was for it."""
    place = dataclasses.replace(place, machine=kernels.machine(place.machine))
    kernels.tell(learner.model)
    with CoreShare(place.machine) as core:
        cost = measure(learner.computing(place.machine), resolved, prepared, place, kernels.optimizer)
    return cost, core.share


def _as_before(earlier: Earlier, learner: Learner, prepared: Prepared, place: Place) -> Chosen:
    """Return the choices of a run that goes on, by its own kernels; on another machine by those that are fast there."""
    resolved = prepared.resolved
    asked = bool(asked_threads(resolved.recipe.machine.threads))
    same = same_kernels(earlier.kernels, place.machine, wish_of(learner.model, resolved), threads_asked=asked)
    if same is not None:
        threads = same.threads or place.machine.threads
        note = (
            f"The run goes on with another number of CPU threads ({threads}, before {earlier.threads}), so numbers "
            "are rounded in another way."
        )
        changed = threads != earlier.threads and place.machine.device.type == "cpu" and not asked
        notes = [note] if changed else []
        chosen = Chosen(resolved=resolved, sizing={}, learner=learner, cost=earlier.cost, kernels=same, notes=notes)
        return compiled_again(chosen, prepared, place, before=earlier.compiled, seconds=earlier.compiling_seconds)
    chosen = _measured(resolved, {}, learner, prepared, place, earlier)
    words = ", ".join(filter(None, (chosen.kernels.precision, chosen.kernels.in_words())))
    note = (
        f"The run goes on on another machine, {machine_name(place.machine)}, than {earlier.kernels['machine']}, so the ways to "
        f"compute are chosen anew: {words}. Exact resume holds on one machine: from here on numbers are rounded in another way."
    )
    # A budget of arithmetic must buy the same training everywhere.
    cost = dataclasses.replace(chosen.cost, flops_per_step=earlier.cost.flops_per_step)
    chosen = dataclasses.replace(chosen, cost=cost, notes=[note])
    return compiled_again(chosen, prepared, place, before=earlier.compiled, seconds=earlier.compiling_seconds)


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


def _seconds(chosen: Chosen, steps: int | None, most_steps: int | None) -> float:
    """Return how long the training will take."""
    per_step = chosen.cost.seconds_per_step
    seconds = chosen.resolved.recipe.budget().amount if steps is None else steps * per_step
    return min(seconds, most_steps * per_step) if most_steps else seconds


def _join(
    chosen: Chosen,
    prepared: Prepared,
    catalogue: Catalogue,
    place: Place,
    *,
    steps: int | None,
    most_steps: int | None,
    compiled: bool,
) -> Job:
    """Make what is left, the optimizer, the sampler and the evaluator, and put all into a job."""
    resolved, learner, training = chosen.resolved, chosen.learner.computing(place.machine), chosen.resolved.recipe.training
    optimization = make_optimization(resolved, named_parameters(learner.model)) if learner.learns else None
    chosen.kernels.tell(learner.model)
    if optimization:
        optimization.use_kernels(every_kernel(optimization, chosen.kernels.optimizer))
    evaluated = Evaluated(tokenizer=prepared.tokenizer, builder=prepared.builder, model=learner.model)
    evaluator, unsupported = find_evaluator(prepared.builder.evaluators, evaluated, catalogue)

    def session(of: Model) -> Session:
        return session_of(of, place.machine, prepared)

    again, forward = resolved.recipe.machine.recompute, chosen.forward
    if compiled and not chosen.compiled and not (place.only_planned and chosen.wish == "auto"):
        forward = learner.compiled(replayed=not again and replays(prepared, place, training))
    net = learner.trained(recompute=again, forward=forward)
    return Job(
        resolved=resolved,
        prepared=prepared,
        machine=place.machine,
        world=place.world,
        model=learner.model,
        sampler=make_sampler(resolved, catalogue, None, prepared.tokenizer, prepared.vocabulary),
        evaluator=evaluator,
        unsupported=unsupported,
        optimization=optimization,
        trainer=Trainer(net, optimization, prepared.builder, prepared.train.tokens, training, place.world, session),
        cost=chosen.cost,
        compiled=compiled,
        compiling_seconds=chosen.compiling_seconds,
        kernels=chosen.kernels,
        steps=steps,
        most_steps=most_steps,
        sizing=chosen.sizing,
        state=TrainingState(step=0, seconds=0.0, tokens=0, steps=steps, tokenizer=prepared.tokenizer_fingerprint),
        observer=place.observer,
        start=learner.start,
        initial=learner.initial,
        left_out=learner.left_out,
        notes=chosen.notes,
    )
