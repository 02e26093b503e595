"""The main job: text -> tokens -> examples -> training -> checkpoints -> score -> samples.

from lm_engine import Recipe, run

result = run(Recipe(tokenizer="bpe", builder="next-token", model="gpt", optimizer="muon", sampler="top-k", data="my.txt"))
print(result.bits_per_byte)
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from lm_engine.cache import folder_fingerprint
from lm_engine.catalogue import Catalogue
from lm_engine.checkpoint import TrainingState, save_checkpoint
from lm_engine.distributed import World, join_world
from lm_engine.errors import EngineError, Interrupted, UsageError
from lm_engine.estimate import Estimate, estimate
from lm_engine.evaluation import evaluate
from lm_engine.generation import generate
from lm_engine.model import Model
from lm_engine.observer import Evaluation, Observers, Plan, Preparation, RunObserver, RunResult, Sample, Saved, Step
from lm_engine.optimizer import NamedParameter, Optimization
from lm_engine.preparation import Prepared, prepare
from lm_engine.recipe import Recipe, Resolved, resolve
from lm_engine.run_directory import RunDirectory, new_run_path
from lm_engine.runtime import Machine, compiler_for, pick_machine, prepare_process
from lm_engine.saved_run import load_tokenizer, make_model, make_sampler, newest_checkpoint
from lm_engine.training import Outcome, Trainer, named_parameters

EVALUATED_ON_THE_WAY = 100_000
"""Tokens of the held-out text that are scored on the way; the end scores all of it."""

WORTH_COMPILING = {"cpu": 900.0, "cuda": 120.0}
"""Seconds of training from which torch.compile wins its own time back: it takes 10 to 60 s and saves about a tenth on a CPU,
a third or more on a GPU."""


@dataclasses.dataclass(kw_only=True, eq=False)
class Job:
    """Everything that a run is made of, assembled and not yet moving."""

    resolved: Resolved
    catalogue: Catalogue
    prepared: Prepared
    machine: Machine
    world: World
    model: Model
    optimization: Optimization | None
    trainer: Trainer
    cost: Estimate
    compiled: bool
    steps: int | None
    state: TrainingState
    observer: RunObserver
    run: RunDirectory | None = None

    @property
    def seconds_allowed(self) -> float:
        """The budget's training time; without end when the budget is no time."""
        budget = self.resolved.recipe.budget()
        return budget.amount if budget.unit == "seconds" else float("inf")

    def progress(self, ahead: float = 0.0) -> float:
        """Return the share of the budget that is used, `ahead` steps from now."""
        if self.steps is not None:
            return min(1.0, (self.state.step + ahead) / self.steps)
        pace = self.state.seconds / self.state.step if self.state.step else self.cost.seconds_per_step
        return min(1.0, (self.state.seconds + ahead * pace) / self.seconds_allowed)

    def remaining(self) -> float:
        """Return the estimated seconds of training left."""
        if self.steps is None:
            return max(0.0, self.seconds_allowed - self.state.seconds)
        pace = self.state.seconds / self.state.step if self.state.step else self.cost.seconds_per_step
        return pace * (self.steps - self.state.step)


def plan(
    recipe: Recipe,
    *,
    catalogue: Catalogue | None = None,
    out: Path | None = None,
    observers: Sequence[RunObserver] = (),
) -> Plan:
    """Say what `run` would do, without training; the tokenizer and the token shards that it makes are kept for the run.

    Args and errors: as for `run`.
    """
    job = _assemble(recipe, catalogue, Observers(observers))
    _refuse_used(out)
    return _plan(job, out)


def run(
    recipe: Recipe,
    *,
    catalogue: Catalogue | None = None,
    out: Path | str | None = None,
    observers: Sequence[RunObserver] = (),
) -> RunResult:
    """Train a model by a recipe, score it and sample from it.

    Args:
        recipe: every choice.
        catalogue: what is installed; None to look.
        out: a new or empty folder for the run; None for a new one below runs/.
        observers: told what happens.

    Raises:
        UsageError: the recipe cannot be carried out: a name, an option, the text, the folder.
        EngineError: it failed on the way: a full disk, a loss that is not finite.
        Interrupted: Ctrl-C or SIGTERM; a checkpoint is saved.
    """
    observer = Observers(observers)
    out = Path(out) if out is not None else None
    _refuse_used(out)
    job = _assemble(recipe, catalogue, observer)
    folder = out or new_run_path(job.resolved.recipe.choice("model").name)
    if job.world.is_first:
        job.run = RunDirectory.create(folder, job.resolved, job.prepared.tokenizer_folder, _facts(job))
    return _carry_out(job, folder)


def resume(
    folder: Path | str,
    *,
    catalogue: Catalogue | None = None,
    observers: Sequence[RunObserver] = (),
    steps: int | None = None,
    budget: str | None = None,
) -> RunResult:
    """Go on with a run from its newest whole checkpoint, bit for bit as if it had not been stopped.

    Args:
        folder: the run's folder.
        catalogue, observers: as for `run`.
        steps, budget: a new end, for a run that is done or shall go further; the schedule is fitted to it.

    Raises:
        UsageError: there is no run, or it is done and no new end is given.
        EngineError: the run is damaged, or its text or a plugin is missing or has changed.
        Interrupted: as for `run`.
    """
    folder = Path(folder)
    catalogue = catalogue or Catalogue()
    directory = RunDirectory.open(folder)
    directory.check_stages(catalogue)
    recipe = directory.recipe()
    if steps is not None or budget is not None:
        training = dataclasses.replace(recipe.training_options(), steps=steps, budget=budget)
        recipe = dataclasses.replace(recipe, training=training)
    facts = directory.facts()
    job = _assemble(recipe, catalogue, Observers(observers), facts)
    if job.prepared.split.fingerprint != facts.get("data", {}).get("fingerprint"):
        raise EngineError(
            f"The text of {folder} has changed since the run was started.", "Put it back as it was, or start a new run."
        )
    load_tokenizer(directory, job.resolved)
    job.run = directory if job.world.is_first else None
    checkpoint, problems = newest_checkpoint(folder)
    for problem in problems:
        job.observer.on_preparation(Preparation(what=f"Passing over a checkpoint: {problem}"))
    if checkpoint is not None:
        checkpoint.restore_model(job.model)
        checkpoint.restore_optimizers(job.optimization.optimizers if job.optimization else ())
        job.state = dataclasses.replace(checkpoint.state, steps=job.steps)
    if job.progress() >= 1 and _is_scored(directory, job.state.step):
        raise UsageError(
            f"{folder} is done: {job.state.step} steps.", f"To go further: engine resume {folder} --steps {2 * job.state.step}"
        )
    if job.run is not None:
        job.run.write_recipe(job.resolved.recipe)
        job.run.cut_back(job.state.step)
    return _carry_out(job, folder)


def _refuse_used(out: Path | None) -> None:
    """Say before the work starts that the folder is taken."""
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            f"--out expects a new or empty folder; found something at {out}.",
            f"Choose another folder, or go on with it: engine resume {out}",
        )


def _is_scored(directory: RunDirectory, step: int) -> bool:
    return any(line.get("final") and line.get("step") == step for line in directory.lines("samples.jsonl"))


def _assemble(recipe: Recipe, catalogue: Catalogue | None, observer: RunObserver, facts: dict[str, Any] | None = None) -> Job:
    """Make every part of a run; `facts` are those of engine.json when the run is resumed."""
    prepare_process()
    catalogue = catalogue or Catalogue()
    resolved = resolve(recipe, catalogue)
    training = resolved.recipe.training_options()
    for stage, offer in resolved.offers.items():
        if stage in ("model", "optimizer", "sampler"):
            offer.resolve()  # a broken implementation is found before the text is read
    machine = pick_machine(training.device, training.precision, training.threads)
    world = join_world(machine.device)
    observer = observer if world.is_first else RunObserver()
    prepared = prepare(resolved, catalogue, observer)
    model = make_model(resolved, prepared.vocab_size, prepared.builder, machine)

    def optimize(parameters: list[NamedParameter]) -> Optimization:
        optimization = resolved.offers["optimizer"].resolve()(resolved.options["optimizer"], parameters)
        assert isinstance(optimization, Optimization)
        return optimization

    learns = any(parameter.requires_grad for parameter in model.parameters())
    tokens = prepared.train.tokens
    if facts is None:
        observer.on_preparation(Preparation(what="Measuring a few steps"))
        cost = estimate(model, optimize if learns else None, prepared.builder, tokens, training, machine)
    else:
        cost = Estimate(**facts["estimate"])
    per_step = training.batch_size * training.context_length * prepared.train.n_bytes / prepared.train.n_tokens
    budget = resolved.recipe.budget()
    steps = budget.steps(flops_per_step=max(cost.flops_per_step, 1.0), bytes_per_step=per_step)
    seconds = budget.amount if steps is None else steps * cost.seconds_per_step
    compiled = learns and (_compiles(training.compile, machine, seconds) if facts is None else bool(facts["compiled"]))
    optimization = optimize(named_parameters(model)) if learns else None
    forward = _compile(model) if compiled else None
    trainer = Trainer(model, optimization, prepared.builder, tokens, training, machine, world, forward)
    state = TrainingState(step=0, seconds=0.0, tokens=0, steps=steps, tokenizer=prepared.tokenizer_fingerprint)
    return Job(
        resolved=resolved,
        catalogue=catalogue,
        prepared=prepared,
        machine=machine,
        world=world,
        model=model,
        optimization=optimization,
        trainer=trainer,
        cost=cost,
        compiled=compiled,
        steps=steps,
        state=state,
        observer=observer,
    )


def _compiles(wish: str, machine: Machine, seconds: float) -> bool:
    compiler = compiler_for(machine.device)
    if wish == "on" and compiler is None:
        raise UsageError("--compile on needs a C++ compiler (CPU) or triton (CUDA); found none.", "Use --compile auto.")
    if wish == "auto":
        return compiler is not None and seconds > WORTH_COMPILING.get(machine.device.type, float("inf"))
    return wish == "on"


def _compile(model: Model) -> Any:
    import torch

    return torch.compile(model)


def _facts(job: Job) -> dict[str, Any]:
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


def _plan(job: Job, folder: Path | None) -> Plan:
    training, prepared = job.resolved.recipe.training_options(), job.prepared
    parameters: dict[str, int] = {}
    for named in named_parameters(job.model):
        parameters[named.role] = parameters.get(named.role, 0) + named.parameter.numel()
    steps = job.steps or max(1, round(job.seconds_allowed / job.cost.seconds_per_step))
    examples = prepared.builder.count(prepared.train.tokens)
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
        epochs=steps * training.batch_size / examples,
        flops_per_step=job.cost.flops_per_step,
        seconds_per_step=job.cost.seconds_per_step,
        memory_bytes=job.cost.memory_bytes,
        device=str(job.machine.device),
        precision=job.machine.precision,
        compiled=job.compiled,
        threads=job.machine.threads,
        resumed_step=job.state.step,
        warnings=_warnings(job, steps * training.batch_size / examples),
    )


def _warnings(job: Job, epochs: float) -> list[str]:
    found = []
    held_out = job.prepared.split.held_out.n_bytes
    if held_out == 0:
        found.append("No text is held out, so the run ends without a score.")
    elif held_out < 10_000:
        found.append(f"Only {held_out} bytes are held out; their score is a rough one.")
    if epochs > 40:
        found.append(f"The text is read {epochs:.0f} times; expect the model to learn it by heart. More text helps.")
    present = available_memory()
    if job.machine.device.type == "cpu" and present and job.cost.memory_bytes > present:
        found.append("The run may need more memory than is free; raise --accumulation or lower --batch-size.")
    return found


def available_memory() -> int:
    """Return the bytes of memory that are free for this process, or 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError), open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def _carry_out(job: Job, folder: Path) -> RunResult:
    """Train to the end of the budget, then score and sample."""
    lock = job.run.lock() if job.run is not None else contextlib.nullcontext()
    with lock:
        job.observer.on_start(_plan(job, folder))
        _train(job, folder)
        if job.run is None:
            job.world.wait()
            return RunResult(
                folder=folder,
                step=job.state.step,
                seconds=job.state.seconds,
                tokens=job.state.tokens,
                evaluation=None,
                samples=(),
            )
        evaluation = _evaluate(job, final=True)
        samples = _sample(job, final=True)
        job.world.wait()
        result = RunResult(
            folder=folder,
            step=job.state.step,
            seconds=job.state.seconds,
            tokens=job.state.tokens,
            evaluation=evaluation,
            samples=samples,
        )
        job.observer.on_end(result)
    return result


def _train(job: Job, folder: Path) -> None:
    training = job.resolved.recipe.training_options()
    saved = job.state.seconds
    with _stop_requests() as stop:
        while job.progress() < 1:
            before = job.progress()
            outcome = job.trainer.step(job.state.step, job.progress(ahead=0.5), bool(stop))
            _advance(job, outcome)
            done = job.progress() >= 1
            _report(job, outcome, done)
            if not done and _crossed(training.evaluate_every, before, job.progress()):
                _evaluate(job, final=False)
            if not done and _crossed(training.sample_every, before, job.progress()):
                _sample(job, final=False)
            due = training.checkpoint_seconds and job.state.seconds - saved >= training.checkpoint_seconds
            if done or outcome.stop or due:
                _save(job)
                saved = job.state.seconds
            if outcome.stop and not done:
                raise Interrupted(
                    f"Stopped at step {job.state.step}; everything up to it is saved.", f"To go on: engine resume {folder}"
                )


def _advance(job: Job, outcome: Outcome) -> None:
    training = job.resolved.recipe.training_options()
    seconds = outcome.seconds
    if job.world.size > 1:
        import torch

        # Every process must come to the same end, so all go by the mean of their clocks.
        seconds = float(job.world.sum(torch.tensor([seconds], dtype=torch.float64))) / job.world.size
    job.state = dataclasses.replace(
        job.state,
        step=job.state.step + 1,
        seconds=job.state.seconds + seconds,
        tokens=job.state.tokens + training.batch_size * training.context_length,
    )


def _crossed(every: float, before: float, after: float) -> bool:
    """Say whether a multiple of `every` lies in (before, after]; the small number keeps 0.1 + 0.2 on the right side of 0.3."""
    return every > 0 and int(after / every + 1e-9) > int(before / every + 1e-9)


def _report(job: Job, outcome: Outcome, done: bool) -> None:
    training, state = job.resolved.recipe.training_options(), job.state
    rate = training.batch_size * training.context_length / max(outcome.seconds, 1e-9)
    event = Step(
        step=state.step,
        progress=job.progress(),
        loss=outcome.loss,
        learning_rate=outcome.learning_rate,
        grad_norm=outcome.grad_norm,
        tokens=state.tokens,
        seconds=state.seconds,
        tokens_per_second=rate,
        remaining=job.remaining(),
    )
    if job.run is not None and (done or state.step == 1 or state.step % training.log_every == 0):
        line = {key: getattr(event, key) for key in ("step", "loss", "learning_rate", "grad_norm", "tokens")}
        timing = {"seconds": state.seconds, "tokens_per_second": rate}
        job.run.append("metrics.jsonl", {"kind": "step", **line, "timing": timing})
    job.observer.on_step(event)


def _evaluate(job: Job, *, final: bool) -> Evaluation | None:
    prepared = job.prepared
    if job.run is None or prepared.held_out is None or not job.model.causal:
        return None
    training = job.resolved.recipe.training_options()
    event = evaluate(
        job.model,
        job.machine,
        prepared.tokenizer,
        prepared.held_out,
        training.context_length,
        step=job.state.step,
        most_tokens=None if final else EVALUATED_ON_THE_WAY,
    )
    line = dataclasses.asdict(event)
    timing = {"seconds": line.pop("seconds"), "training_seconds": job.state.seconds}
    line = {"kind": "evaluation", "final": final, **line, "tokens": job.state.tokens, "timing": timing}
    job.run.append("metrics.jsonl", line)
    job.state = dataclasses.replace(job.state, bits_per_byte=event.bits_per_byte)
    job.observer.on_evaluation(event)
    return event


def _sample(job: Job, *, final: bool) -> list[Sample]:
    if job.run is None or not job.model.causal:
        return []
    generation = job.resolved.recipe.generation_options()
    samples = generate(
        job.model,
        job.machine,
        job.prepared.tokenizer,
        make_sampler(job.resolved, job.catalogue, None),
        generation.prompt,
        max_tokens=generation.max_tokens,
        samples=generation.samples,
        seed=job.resolved.recipe.training_options().seed,
        step=job.state.step,
    )
    for sample in samples:
        line = {"step": sample.step, "final": final, "index": sample.index, "prompt": sample.prompt, "text": sample.text}
        job.run.append("samples.jsonl", line)
        job.observer.on_sample(sample)
    return samples


def _save(job: Job) -> None:
    if job.run is None:
        return
    optimizers = job.optimization.optimizers if job.optimization else ()
    keep = job.resolved.recipe.training_options().keep_checkpoints
    path = save_checkpoint(job.run.path, job.state, job.model, optimizers, keep)
    job.observer.on_checkpoint(Saved(step=job.state.step, path=path))


@contextlib.contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM instead of dying of them; a second Ctrl-C is obeyed at once."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may handle signals; a notebook's worker runs without
        return

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        if received:
            raise KeyboardInterrupt
        received.append(number)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
