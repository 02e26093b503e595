"""A job: every part of a training, assembled from a recipe and not yet moving."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from pentad.config.recipe import Recipe
from pentad.config.tables import TrainingOptions
from pentad.contracts.evaluator import HeldOut
from pentad.contracts.model import Model
from pentad.contracts.observer import Observers, Plan, RunObserver
from pentad.contracts.optimizer import Optimization
from pentad.contracts.sampler import Sampler
from pentad.contracts.session import Decoder, Session
from pentad.data.preparation import Prepared
from pentad.inference.filling import mask_of
from pentad.inference.scoring import Offered
from pentad.inference.session import ModelSession
from pentad.registry.resolving import Resolved
from pentad.runs.checkpoint import TrainingState
from pentad.runs.start import Start
from pentad.speed.compiling import Compiling
from pentad.system.cache import folder_fingerprint
from pentad.system.machine import Machine, available_memory, machine_name
from pentad.system.processes import World
from pentad.train.computing.kernels import Kernels
from pentad.train.estimate import Estimate
from pentad.train.recorder import Recorder
from pentad.train.trainer import Trainer, named_parameters

if TYPE_CHECKING:
    from pentad.runs.folder import RunDirectory


@dataclasses.dataclass(kw_only=True, eq=False)
class Job:
    """Everything that a run is made of. Only `state`, `run` and `recorder` change.

    Where a new run starts from another, `start` is that run, and `initial` are the weights that come from there, before an
    adapter changed the model. `left_out` names what the adapter froze. `steps` are those that the budget pays for, None where
    it is a time; `most_steps` are those after which a training by time ends at the latest, or None. `notes` are for the plan.
    """

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
    kernels: Kernels
    steps: int | None
    most_steps: int | None
    compiling_seconds: float
    state: TrainingState
    observer: Observers
    sizing: Mapping[str, str] = dataclasses.field(default_factory=dict)
    start: Start | None = None
    initial: Mapping[str, Tensor] | None = None
    left_out: Set[str] = frozenset()
    notes: Sequence[str] = ()
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
            world=self.world,
            builder=self.prepared.builder,
        )

    @property
    def training(self) -> TrainingOptions:
        """The recipe's table `[training]`."""
        return self.resolved.recipe.training

    @property
    def seconds_allowed(self) -> float:
        """The budget's time but for compiling; without end when the budget is no time."""
        budget = self.resolved.recipe.budget()
        return _left(budget.amount, self.compiling_seconds) if budget.unit == "seconds" else float("inf")

    @property
    def planned_steps(self) -> int:
        """The steps that the plan names: those that the budget pays for, or, where it is a time, an estimate."""
        return planned_steps(self.resolved.recipe, self.cost, self.steps, self.most_steps, self.compiling_seconds)

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
        share = (self.state.seconds + ahead * self.pace) / self.seconds_allowed
        return min(1.0, max(share, (self.state.step + ahead) / self.most_steps if self.most_steps else 0.0))

    def remaining(self) -> float:
        """Return the estimated seconds of training left."""
        if self.steps is None:
            left = max(0.0, self.seconds_allowed - self.state.seconds)
            return min(left, self.pace * (self.most_steps - self.state.step)) if self.most_steps else left
        return self.pace * (self.steps - self.state.step)


def session_of(model: Model, machine: Machine, prepared: Prepared) -> Session:
    """Open a model for inference with a run's tokenizer and vocabulary."""
    return ModelSession(model, machine, prepared.tokenizer, prepared.vocabulary)


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
        **({"start": job.start.recorded()} if job.start else {}),
        "tokenizer": job.prepared.tokenizer_fingerprint,
        "tokenizer_files": folder_fingerprint(job.prepared.tokenizer_folder),
        "processes": job.world.size,
        **computing_of(job),
        "estimate": dataclasses.asdict(job.cost),
        "compiling_seconds": job.compiling_seconds,
        **({"sizing": dict(job.sizing)} if job.sizing else {}),
    }


def computing_of(job: Job) -> dict[str, Any]:
    """Return the facts that change where a run goes on on another machine."""
    return {
        "device": job.machine.device.type,
        "precision": job.machine.precision,
        "threads": job.machine.threads,
        "compiled": job.compiled,
        "kernels": {"machine": machine_name(job.machine), **job.kernels.as_json()},
    }


def planned_steps(recipe: Recipe, cost: Estimate, steps: int | None, most_steps: int | None, compiling_seconds: float) -> int:
    """Return how many steps a training will have, for a budget of time about.

    Args:
        recipe: whose budget it is.
        cost: of a step.
        steps, most_steps, compiling_seconds: as for `Job`.
    """
    planned = steps or max(1, round(_left(recipe.budget().amount, compiling_seconds) / max(cost.seconds_per_step, 1e-9)))
    return min(planned, most_steps or planned)


def _left(seconds: float, compiling_seconds: float) -> float:
    return Compiling(faster=1.0, seconds=compiling_seconds).left(seconds)


def plan_of(job: Job, folder: Path | None) -> Plan:
    """Say what a job will do."""
    training, prepared = job.training, job.prepared
    parameters: dict[str, int] = {}
    for named in named_parameters(job.model):
        parameters[named.role] = parameters.get(named.role, 0) + named.parameter.numel()
    steps = job.planned_steps
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
        kernels=job.kernels.in_words(),
        compiling_seconds=job.compiling_seconds,
        threads=job.machine.threads,
        resumed_step=job.state.step,
        warnings=_warnings(job, epochs),
        start=job.start.described(job.resolved.recipe, prepared.vocabulary) if job.start else None,
        examples=prepared.builder.describe(prepared.train.tokens),
        sizing=job.sizing,
    )


def _warnings(job: Job, epochs: float) -> list[str]:
    found = [*job.prepared.notes, *job.notes]
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
    if not job.model.causal and mask_of(job.prepared.vocabulary) is None:
        found.append("The model is bidirectional: it writes no texts.")
    if epochs > 40:
        found.append(f"The text is read {epochs:.0f} times; expect the model to memorise it. More text helps.")
    present = available_memory()
    if job.machine.device.type == "cpu" and present and job.cost.memory_bytes > present:
        found.append("The run may need more memory than is free; raise --gradient-accumulation or lower --batch-size.")
    return found
