"""A job: every part of a training, assembled from a recipe and not yet moving."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pentad.config.recipe import TrainingOptions
from pentad.contracts.evaluator import Evaluated, HeldOut
from pentad.contracts.model import Model
from pentad.contracts.observer import Observers, Plan, Preparation, RunObserver
from pentad.contracts.optimizer import NamedParameter, Optimization
from pentad.contracts.sampler import Sampler
from pentad.contracts.session import Decoder, Session
from pentad.data.corpus import keep_pipes
from pentad.data.preparation import Kept, Prepared, prepare
from pentad.inference.net import ModelNet
from pentad.inference.scoring import Offered, find_evaluator
from pentad.inference.session import ModelSession
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import Resolved
from pentad.runs.checkpoint import TrainingState
from pentad.runs.saved_run import make_model, make_sampler
from pentad.system.cache import folder_fingerprint
from pentad.system.errors import UsageError
from pentad.system.machine import Machine, available_memory, compiler_for, pick_machine, prepare_process
from pentad.system.processes import World, join_world
from pentad.train.estimate import Estimate, estimate
from pentad.train.recorder import Recorder
from pentad.train.trainer import Trainer, named_parameters

if TYPE_CHECKING:
    from pentad.runs.folder import RunDirectory

WORTH_COMPILING = {"cpu": 900.0, "cuda": 120.0}
"""Seconds of training from which torch.compile wins its own time back: it takes 10 to 60 s and saves about a tenth on a CPU,
a third or more on a GPU."""


@dataclasses.dataclass(kw_only=True, eq=False)
class Job:
    """Everything that a run is made of. Only `state`, `run` and `recorder` change."""

    resolved: Resolved
    prepared: Prepared
    machine: Machine
    world: World
    model: Model
    sampler: Sampler | Decoder
    evaluator: Offered | None
    unsupported: Sequence[str]
    optimization: Optimization | None
    trainer: Trainer
    cost: Estimate
    compiled: bool
    steps: int | None
    state: TrainingState
    observer: Observers
    run: RunDirectory | None = None
    recorder: RunObserver | None = None

    def tell(self, method: str, event: object) -> None:
        """Tell the recorder, whose failure (a full disk) ends the run, and then the observers, who are in the first process."""
        if not self.world.is_first:
            return
        if self.recorder is not None:
            getattr(self.recorder, method)(event)
        getattr(self.observer, method)(event)

    def record_in(self, run: RunDirectory) -> None:
        """Write what happens from now on into a run's folder."""
        self.run = run
        self.recorder = Recorder(
            run, self.resolved.recipe.reporting.log_every, seconds=self.state.seconds, tokens=self.state.tokens
        )

    def evaluating(self) -> AbstractContextManager[object]:
        """Return the context in which the model has the weights to judge, to sample from and to save."""
        return self.optimization.evaluating() if self.optimization else nullcontext()

    def session(self, model: Model | None = None) -> Session:
        """Open the model for inference."""
        return session_of(model or self.model, self.machine, self.prepared)

    def held_out(self, max_tokens: int | None) -> HeldOut | None:
        """Return the text to judge on, or None when nothing is held out."""
        shard = self.prepared.held_out
        if shard is None:
            return None
        return HeldOut(
            tokens=shard.tokens,
            n_bytes=shard.n_bytes,
            context_length=self.training.context_length,
            max_tokens=max_tokens,
            lost_bytes=shard.lost_bytes,
        )

    @property
    def training(self) -> TrainingOptions:
        """The recipe's table `[training]`."""
        return self.resolved.recipe.training

    @property
    def seconds_allowed(self) -> float:
        """The budget's training time; without end when the budget is no time."""
        budget = self.resolved.recipe.budget()
        return budget.amount if budget.unit == "seconds" else float("inf")

    @property
    def pace(self) -> float:
        """Seconds per step so far; the estimate before the first."""
        return self.state.seconds / self.state.step if self.state.step else self.cost.seconds_per_step

    def progress(self, ahead: float = 0.0) -> float:
        """Return the share of the budget that is used, `ahead` steps from now; 1 when an observer ended the training."""
        if self.state.stopped:
            return 1.0
        if self.steps is not None:
            return min(1.0, (self.state.step + ahead) / self.steps)
        return min(1.0, (self.state.seconds + ahead * self.pace) / self.seconds_allowed)

    def remaining(self) -> float:
        """Return the estimated seconds of training left."""
        if self.steps is None:
            return max(0.0, self.seconds_allowed - self.state.seconds)
        return self.pace * (self.steps - self.state.step)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Earlier:
    """What a run that goes on has decided already: its preparation, what a step costs, whether the model is compiled."""

    kept: Kept
    cost: Estimate
    compiled: bool


def assemble(resolved: Resolved, catalogue: Catalogue, observer: Observers, earlier: Earlier | None = None) -> Job:
    """Make every part of a run.

    Args:
        resolved: every choice.
        catalogue: what is installed.
        observer: told how the preparation goes.
        earlier: of the run that is resumed, or None for a new one.

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
    prepared = prepare(_with_pipes_kept(resolved), catalogue, observer, earlier.kept if earlier else None)
    resolved, training = prepared.resolved, prepared.resolved.recipe.training
    model = make_model(resolved, prepared.vocabulary, prepared.builder, machine)
    learns = any(parameter.requires_grad for parameter in model.parameters())
    if not learns and world.size > 1:
        raise UsageError(
            "A model that learns by counting trains in one process.", "Start it without torchrun.", code="one-process-only"
        )
    net = ModelNet(model, machine, vocabulary=prepared.vocabulary)

    def session(of: Model) -> Session:
        return session_of(of, machine, prepared)

    cost = earlier.cost if earlier else _measure(resolved, prepared, net, learns, world, observer, session)
    steps = _steps(resolved, prepared, cost)
    seconds = resolved.recipe.budget().amount if steps is None else steps * cost.seconds_per_step
    compiled = earlier.compiled if earlier else learns and _compiles(wanted.compile, machine, seconds)
    optimization = _optimize(resolved, named_parameters(model)) if learns else None
    if compiled:
        net = ModelNet(model, machine, vocabulary=prepared.vocabulary, forward=_compile(model))
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
        state=TrainingState(step=0, seconds=0.0, tokens=0, steps=steps, tokenizer=prepared.tokenizer_fingerprint),
        observer=observer,
    )


def _with_pipes_kept(resolved: Resolved) -> Resolved:
    data = resolved.recipe.data
    if "-" not in (*data.sources, *data.held_out_sources):
        return resolved
    data = dataclasses.replace(data, sources=keep_pipes(data.sources), held_out_sources=keep_pipes(data.held_out_sources))
    return dataclasses.replace(resolved, recipe=resolved.recipe.replace(data=data))


def session_of(model: Model, machine: Machine, prepared: Prepared) -> Session:
    """Open a model for inference with a run's tokenizer and vocabulary."""
    return ModelSession(model, machine, prepared.tokenizer, prepared.vocabulary)


def _optimize(resolved: Resolved, parameters: list[NamedParameter]) -> Optimization:
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
        return _optimize(resolved, parameters)

    cost = estimate(net, optimize if learns else None, prepared.builder, prepared.train.tokens, share, session)
    return dataclasses.replace(
        cost,
        flops_per_step=cost.flops_per_step * training.batch_size / share.batch_size,
        seconds_per_step=world.mean(cost.seconds_per_step),
    )


def _steps(resolved: Resolved, prepared: Prepared, cost: Estimate) -> int | None:
    training = resolved.recipe.training
    per_step = training.batch_size * training.context_length * prepared.train.n_bytes / prepared.train.n_tokens
    budget = resolved.recipe.budget()
    if budget.unit == "flops" and not cost.flops_per_step:
        raise UsageError(
            f"A budget of arithmetic needs a model whose arithmetic is counted; found none in {resolved.offers['model'].name}.",
            "Say --steps, or a budget of text: --budget 50MB.",
            code="arithmetic-unknown",
        )
    return budget.steps(flops_per_step=cost.flops_per_step, bytes_per_step=per_step)


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
    import torch

    return torch.compile(model)


def facts_of(job: Job) -> dict[str, Any]:
    """Return what engine.json says of a run beside its versions."""
    split = job.prepared.split
    return {
        "data": {
            "fingerprint": split.fingerprint,
            "rule": split.rule,
            "train_bytes": split.train.n_bytes,
            "held_out_bytes": split.held_out.n_bytes,
            "duplicates": split.n_duplicates,
        },
        "tokenizer": job.prepared.tokenizer_fingerprint,
        "tokenizer_files": folder_fingerprint(job.prepared.tokenizer_folder),
        "device": job.machine.device.type,
        "precision": job.machine.precision,
        "threads": job.machine.threads,
        "processes": job.world.size,
        "compiled": job.compiled,
        "estimate": dataclasses.asdict(job.cost),
    }


def plan_of(job: Job, folder: Path | None) -> Plan:
    """Say what a job will do."""
    training, prepared = job.training, job.prepared
    parameters: dict[str, int] = {}
    for named in named_parameters(job.model):
        parameters[named.role] = parameters.get(named.role, 0) + named.parameter.numel()
    steps = job.steps or max(1, round(job.seconds_allowed / max(job.cost.seconds_per_step, 1e-9)))
    epochs = steps * training.batch_size / prepared.builder.count(prepared.train.tokens)
    return Plan(
        folder=folder,
        recipe=job.resolved.recipe,
        parameters=parameters,
        vocab_size=prepared.vocab_size,
        train_tokens=prepared.train.n_tokens,
        train_bytes=prepared.train.n_bytes,
        held_out_bytes=prepared.split.held_out.n_bytes,
        documents=prepared.split.train.n_documents,
        tokens_per_step=training.batch_size * training.context_length,
        steps=steps,
        epochs=epochs,
        flops_per_step=job.cost.flops_per_step,
        seconds_per_step=job.cost.seconds_per_step,
        memory_bytes=job.cost.memory_bytes,
        device=str(job.machine.device),
        precision=job.machine.precision,
        compiled=job.compiled,
        threads=job.machine.threads,
        resumed_step=job.state.step,
        warnings=_warnings(job, epochs),
    )


def _warnings(job: Job, epochs: float) -> list[str]:
    found = list(job.prepared.notes)
    held_out = job.prepared.split.held_out.n_bytes
    if held_out == 0:
        found.append("No text is held out, so the run ends without a score.")
    elif job.evaluator is None:
        reasons = " ".join(job.unsupported) or "no evaluator is installed."
        found.append(f"The run ends without a score: {reasons}")
    elif held_out < 10_000:
        found.append(f"Only {held_out} bytes are held out; their score is a rough one.")
    shard = job.prepared.held_out
    if shard is not None and (shard.lost_bytes or not job.prepared.tokenizer.lossless):
        name = job.resolved.recipe.choice("tokenizer").name
        share = shard.lost_bytes / max(shard.n_bytes, 1)
        found.append(
            f"The tokenizer {name} is lossy: {share:.1%} of the held-out bytes cannot be had back from its ids. The score "
            "charges 8 bits for each, and does not compare with scores of lossless tokenizers."
        )
    if not job.model.causal:
        found.append("The model is bidirectional: it writes no texts.")
    if epochs > 40:
        found.append(f"The text is read {epochs:.0f} times; expect the model to memorise it. More text helps.")
    present = available_memory()
    if job.machine.device.type == "cpu" and present and job.cost.memory_bytes > present:
        found.append("The run may need more memory than is free; raise --gradient-accumulation or lower --batch-size.")
    return found
