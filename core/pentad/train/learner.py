"""The model of a run, ready to learn: with its first weights, its reference and its adapter, and what a step of it costs."""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Mapping, Set
from pathlib import Path

import torch
from torch import Tensor

from pentad.config.kernels import Wish
from pentad.config.options import to_dict
from pentad.config.tables import TrainingOptions
from pentad.contracts.adapter import ModelAdapter
from pentad.contracts.model import Model, Output, State
from pentad.contracts.observer import Observers, Preparation
from pentad.contracts.optimizer import NamedParameter, Optimization
from pentad.contracts.session import Session
from pentad.contracts.vocabulary import Vocabulary
from pentad.data.preparation import Prepared
from pentad.inference.net import Forward, ModelNet
from pentad.registry.resolving import Resolved
from pentad.runs.initial import adapt, frozen_by, frozen_copy, make_model, restore_initial
from pentad.runs.start import Start
from pentad.speed.compiling import compiled_forward
from pentad.speed.recomputing import recompute_blocks, refuse_without_blocks
from pentad.speed.threads import fastest_threads
from pentad.system.errors import EngineError, UsageError
from pentad.system.machine import Machine, asked_threads
from pentad.system.processes import World
from pentad.train.computing.kept import key_of, note, noted
from pentad.train.computing.kernels import Kernels, allowed_seconds, every_kernel
from pentad.train.computing.measuring import fastest
from pentad.train.estimate import START, Estimate, estimate
from pentad.train.job import session_of
from pentad.train.memory import count_inner, free_memory, refuse_large_model, sizes_of, without_values
from pentad.train.trainer import Trainer, named_parameters

PARTS = ("builder", "model", "optimizer", "adapter")
"""The choices on which it hangs what is fastest."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """Where a run is trained: the machine, the processes that share the work, and who is told of it.

    Where it is only planned, nothing is compiled: what that will do is expected, as it was found before.
    """

    machine: Machine
    world: World
    observer: Observers
    only_planned: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Learner:
    """A model that is about to learn.

    Args:
        model: on the machine's device, with the weights to begin with.
        net: the door to it, with the frozen reference where its objective needs one.
        initial: the weights that came from another run, before an adapter changed the model; None where it is a new one.
        left_out: names of the parameters that the adapter froze.
        start: that other run, where this one is new.
    """

    model: Model
    net: ModelNet
    initial: Mapping[str, Tensor] | None
    left_out: Set[str]
    start: Start | None

    @property
    def learns(self) -> bool:
        """Whether it learns by gradients, and not by counting."""
        return any(parameter.requires_grad for parameter in self.model.parameters())

    def computing(self, machine: Machine) -> Learner:
        """Return the same on a machine that computes in another way."""
        vocabulary, reference = self.net.vocabulary, self.net.reference
        if isinstance(reference, ModelNet):
            reference = ModelNet(reference.model, machine, vocabulary=vocabulary)
        return dataclasses.replace(self, net=ModelNet(self.model, machine, vocabulary=vocabulary, reference=reference))

    def trained(self, *, recompute: bool, forward: Forward | None) -> ModelNet:
        """Return the door through which the model is trained; where it recomputes its blocks, it does so from here on.

        Args:
            recompute: whether blocks are computed again in the backward pass.
            forward: the compiled model; None for the model as it is.
        """
        if recompute:
            recompute_blocks(self.model)
        if forward is None:
            return self.net
        net = self.net
        return ModelNet(self.model, net.machine, vocabulary=net.vocabulary, forward=forward, reference=net.reference)

    def compiled(self, *, replayed: bool, most_operations: int | None = None) -> Forward:
        """Return the model as torch compiles it, at its first call.

        Args:
            most_operations: as for `compiled_forward`.
            replayed: whether its kernels are recorded and launched as one (CUDA graphs); each pass then overwrites the outputs
                and gradients of the one before.
        """
        return (
            _replayed(self.model)
            if replayed
            else compiled_forward(self.model, self.net.machine.device, most_operations=most_operations)
        )


def _replayed(model: Model) -> Callable[..., Output]:
    """Return the compiled model as a CUDA graph: launching its kernels one by one takes longer than a small model computes."""
    compiled = torch.compile(model, mode="reduce-overhead")

    def forward(inputs: Tensor, state: State | None, segments: Tensor | None) -> Output:
        torch.compiler.cudagraph_mark_step_begin()  # nothing of the pass before is read any more
        output: Output = compiled(inputs, state, segments)
        return output

    return forward


def replays(prepared: Prepared, place: Place, options: TrainingOptions) -> bool:
    """Say whether a compiled model may be replayed: each step is one pass forward and back, in one process on a CUDA GPU."""
    builder, once = prepared.builder, options.gradient_accumulation == 1
    plain = builder.objective() is None and builder.updates == 1 and not builder.needs_policy
    return place.machine.device.type == "cuda" and place.world.size == 1 and once and plain


def make_learner(
    resolved: Resolved, prepared: Prepared, place: Place, *, start: Start | None = None, resumed: Path | None = None
) -> Learner:
    """Make the model that a recipe describes, ready to learn.

    Args:
        resolved, prepared: the choices, and the text as tokens.
        place: where.
        start: the run that it starts from, or None.
        resumed: the folder of the run that is resumed, whose first weights count; None for a new run.

    Raises:
        UsageError: the objective or the adapter needs a run to start from, a model that counts has several processes, or one
            without blocks is to recompute them.
        EngineError: the weights to begin with are damaged.
    """
    model = make_model(resolved, prepared.vocabulary, prepared.builder, place.machine)
    started = restore_initial(resumed, model) if resumed else start is not None
    if start is not None:
        start.put_into(model, prepared.vocabulary, resolved.recipe.training.seed)
    if type(model).study is not Model.study and _reads_on(prepared):
        place.observer.on_preparation(Preparation(what="Looking through the text"))
        model.study(prepared.train.tokens)
    initial = None if start is None else dict(model.state_dict())
    if place.world.size > 1 and not any(parameter.requires_grad for parameter in model.parameters()):
        raise UsageError(
            "A model that learns by counting trains in one process.", "Start it without torchrun.", code="one-process-only"
        )
    if resolved.recipe.machine.recompute:
        refuse_without_blocks(model, resolved.offers["model"].name)
    reference = _reference(prepared, model, place.machine, started)
    adapter = _adapt(model, resolved, prepared, started)
    net = ModelNet(model, place.machine, vocabulary=prepared.vocabulary, reference=reference)
    return Learner(model=model, net=net, initial=initial, left_out=frozen_by(model, adapter), start=start)


def _reads_on(prepared: Prepared) -> bool:
    """Say whether the builder has a causal model learn each next token of plain text, be it with those behind it."""
    builder, tokens = prepared.builder, prepared.train.tokens
    plain = tokens.learn is None and (builder.objective() is None or builder.tokens_ahead > 0)
    return plain and builder.attention == "causal" and builder.writes_on


def refuse_large(resolved: Resolved, prepared: Prepared, machine: Machine) -> None:
    """Make sure that the model of a recipe fits into memory, before it is made.

    Raises:
        UsageError: it does not fit.
    """
    on_meta = dataclasses.replace(machine, device=torch.device("meta"))
    sizes = sizes_of(
        lambda: make_model(resolved, prepared.vocabulary, prepared.builder, on_meta),
        lambda parameters: make_optimization(resolved, parameters),
        free_memory(machine.device),
    )
    refuse_large_model(sizes, machine.device)


def counting(prepared: Prepared, machine: Machine) -> Callable[[Resolved], int | None]:
    """Return what counts the parameters of a chosen model, which it makes without memory for them."""
    on_meta = dataclasses.replace(machine, device=torch.device("meta"))
    return lambda resolved: count_inner(lambda: make_model(resolved, prepared.vocabulary, prepared.builder, on_meta))


def make_optimization(resolved: Resolved, parameters: list[NamedParameter]) -> Optimization:
    """Return the recipe's optimizers over a model's parameters."""
    optimization: Optimization = resolved.offers["optimizer"].make(resolved.options["optimizer"], parameters)
    return optimization


def measure(
    learner: Learner, resolved: Resolved, prepared: Prepared, place: Place, kernels: Mapping[str, str] | None = None
) -> Estimate:
    """Measure a few steps of this process's share of the examples; all processes come to the same figures.

    Args:
        learner, resolved, prepared, place: what learns from what, and where.
        kernels: those that the optimizers shall use in place of their defaults.

    Raises:
        UsageError: a step does not fit into memory.
    """
    place.observer.on_preparation(Preparation(what="Measuring a few steps"))
    training = resolved.recipe.training
    share = dataclasses.replace(training, batch_size=-(-training.batch_size // place.world.size))

    def optimize(parameters: list[NamedParameter]) -> Optimization:
        optimization = make_optimization(resolved, parameters)
        optimization.use_kernels(every_kernel(optimization, kernels or {}))
        return optimization

    def session(of: Model) -> Session:
        return session_of(of, place.machine, prepared)

    optimizes = optimize if learner.learns else None
    again = resolved.recipe.machine.recompute
    cost = estimate(learner.net, optimizes, prepared.builder, prepared.train.tokens, share, session, recompute=again)
    return dataclasses.replace(
        cost,
        flops_per_step=cost.flops_per_step * training.batch_size / share.batch_size,
        seconds_per_step=place.world.mean(cost.seconds_per_step),
    )


def refuse_unknown_kernels(resolved: Resolved) -> None:
    """Make sure, before the text is read, that there are the kernels that the user decides: they do not hang on the vocabulary.

    Raises:
        UsageError: the model and its optimizers have no such kernel.
    """
    if not resolved.recipe.machine.kernels:
        return
    sizes = {"vocab_size": 256, "context_length": resolved.recipe.training.context_length}
    vocabulary = Vocabulary(tokenizer_size=256, end_of_text=0)
    make = functools.partial(resolved.offers["model"].make, resolved.options["model"], **sizes, vocabulary=vocabulary)
    model = without_values(make)
    if model is not None:
        wish_of(model, resolved)


def wish_of(model: Model, resolved: Resolved) -> Wish:
    """Return what the user decides of the kernels that the model and its optimizers have.

    Raises:
        UsageError: they have no such kernel.
    """
    named = named_parameters(model)
    offered = make_optimization(resolved, named).kernels() if named else {}
    return Wish.of(resolved.recipe.machine, model.kernels(), offered)


def find_kernels(
    learner: Learner, resolved: Resolved, prepared: Prepared, place: Place, cost: Estimate, seconds: float, wish: Wish
) -> Kernels:
    """Return the fastest kernels for a training of so many seconds: noted ones, those that measuring finds, or the usual.

    Args:
        learner, resolved, prepared, place: as for `measure`.
        cost: of a step by the usual kernels.
        seconds: of the training.
        wish: what the user decides of them.
    """
    machine, training = place.machine, resolved.recipe.training
    allowed = allowed_seconds(seconds, cost.seconds_per_step)
    if resolved.recipe.machine.recompute:  # who wants memory, not speed
        allowed = 0.0
    if not allowed or not learner.learns or place.world.size > 1 or prepared.builder.needs_policy:
        return Kernels.usual(machine, wish)
    stages = [stage for stage in PARTS if stage in resolved.offers]
    offers = [(resolved.offers[stage].record.name, to_dict(resolved.options[stage])) for stage in stages]
    shape = (prepared.vocab_size, training.batch_size, training.context_length)
    tries, began = _tries_threads(resolved, machine), time.perf_counter()
    key = key_of(machine, wish, offers, *shape, "threads" if tries else "")
    if (known := noted(key, allowed)) is not None:
        return known
    place.observer.on_preparation(Preparation(what="Choosing the fastest kernels"))
    threads, faster = machine.threads, 1.0
    if tries:
        threads, faster = _find_threads(learner, resolved, prepared, allowed / 2, cost.seconds_per_step)
    fewer = dataclasses.replace(machine, threads=threads)
    if threads < machine.threads:
        # A busy machine has fewer threads seem faster, and only now: kernels are kept for them, that they are faster is not.
        key = key_of(fewer, wish, offers, *shape, "")
        known = noted(key, allowed)
    if known is None:
        session = functools.partial(session_of, machine=fewer, prepared=prepared)
        on = learner.computing(fewer).net
        trainer = Trainer(on, None, prepared.builder, prepared.train.tokens, training, place.world, session)
        known = fastest(
            trainer,
            lambda parameters: make_optimization(resolved, parameters),
            wish=wish,
            seconds=max(0.0, allowed - (time.perf_counter() - began)),
            seconds_per_step=cost.seconds_per_step / faster,
        )
        known = note(key, known, fewer, allowed)
    return dataclasses.replace(known, threads=threads, speed=known.speed * faster) if threads < machine.threads else known


def _tries_threads(resolved: Resolved, machine: Machine) -> bool:
    """Say whether fewer threads may be tried: on a CPU, where nobody says how many."""
    return machine.device.type == "cpu" and machine.threads > 1 and not asked_threads(resolved.recipe.machine.threads)


def _find_threads(
    learner: Learner, resolved: Resolved, prepared: Prepared, seconds: float, seconds_per_step: float
) -> tuple[int, float]:
    """Return with how many threads whole steps are fastest, done on a copy of the model, and how many times faster."""
    net, numbers = learner.net, itertools.count()
    machine, training = net.machine, resolved.recipe.training
    copied = ModelNet(copy.deepcopy(net.model), machine, vocabulary=net.vocabulary, reference=net.reference)
    optimization = make_optimization(resolved, named_parameters(copied.model))
    session = functools.partial(session_of, machine=machine, prepared=prepared)
    trainer = Trainer(copied, optimization, prepared.builder, prepared.train.tokens, training, session=session)
    try:
        return fastest_threads(
            machine.threads,
            lambda: trainer.step(next(numbers), START),
            torch.set_num_threads,
            seconds=seconds,
            seconds_per_step=seconds_per_step,
        )
    except EngineError:  # the copy diverged, and the run itself will say what is wrong
        torch.set_num_threads(machine.threads)
        return machine.threads, 1.0


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
