"""The loop that carries a job out: steps to the end of the budget, with scores, samples and checkpoints on the way."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from pentad.contracts.observer import Evaluation, RunResult, Sample, Saved, Step
from pentad.inference.generation import generate
from pentad.inference.scoring import evaluate
from pentad.runs.checkpoint import save_checkpoint
from pentad.system.errors import EngineError, Interrupted, to_resume
from pentad.train.job import Job, plan_of
from pentad.train.trainer import Outcome

EVALUATED_ON_THE_WAY = 100_000
"""Tokens of the held-out text that are scored on the way; the end scores all of it."""


def carry_out(job: Job, folder: Path) -> RunResult:
    """Train to the end of the budget, then score and sample.

    Raises:
        EngineError: the loss or a score is not finite, or the disk is full.
        Interrupted: Ctrl-C or SIGTERM; a checkpoint is saved.
    """
    job.observer.on_start(plan_of(job, folder))
    with _stop_requests() as stop:
        _train(job, folder, stop)
        if stop and job.world.size == 1:  # while the last checkpoint was written
            raise _stopped(job, folder)
    try:
        with _stopping_at_once():
            evaluation = _evaluate(job, final=True)
            samples = _sample(job, final=True)
    except KeyboardInterrupt:
        raise _stopped(job, folder) from None
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


def _train(job: Job, folder: Path, stop: Sequence[int]) -> None:
    recipe = job.resolved.recipe
    saved = job.state.seconds
    while job.progress() < 1:
        before = job.progress()
        outcome = job.trainer.step(job.state.step, job.progress(ahead=0.5), bool(stop))
        _advance(job, outcome)
        done = job.progress() >= 1
        _report(job, outcome, done)
        if not done and _crossed(recipe.evaluation.evaluate_every, before, job.progress()):
            _evaluate(job, final=False)
        if not done and _crossed(recipe.generation.sample_every, before, job.progress()):
            _sample(job, final=False)
        seconds = recipe.reporting.checkpoint_seconds
        due = seconds and job.state.seconds - saved >= seconds
        if done or outcome.stop or due:
            _save(job)
            saved = job.state.seconds
        if outcome.stop:
            job.world.wait()  # whoever goes on at once must find the checkpoint that the first process is still writing
            raise _stopped(job, folder)


def _stopped(job: Job, folder: Path) -> Interrupted:
    return Interrupted(
        f"Stopped at step {job.state.step}; everything up to it is saved.",
        f"To go on: {to_resume(folder)}",
    )


def _advance(job: Job, outcome: Outcome) -> None:
    job.state = dataclasses.replace(
        job.state,
        step=job.state.step + 1,
        # Every process must come to the same end, so all go by the mean of their clocks.
        seconds=job.state.seconds + job.world.mean(outcome.seconds),
        tokens=job.state.tokens + job.training.batch_size * job.training.context_length,
    )


def _crossed(every: float, before: float, after: float) -> bool:
    """Say whether a multiple of `every` lies in (before, after]; the small number keeps 0.1 + 0.2 on the right side of 0.3."""
    return every > 0 and int(after / every + 1e-9) > int(before / every + 1e-9)


def _report(job: Job, outcome: Outcome, done: bool) -> None:
    training, state = job.training, job.state
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
    if job.run is not None and (done or state.step == 1 or state.step % job.resolved.recipe.reporting.log_every == 0):
        line = {key: getattr(event, key) for key in ("step", "loss", "learning_rate", "grad_norm", "tokens")}
        timing = {"seconds": state.seconds, "tokens_per_second": rate}
        job.run.append("metrics.jsonl", {"kind": "step", **line, "timing": timing})
    job.observer.on_step(event)


def _evaluate(job: Job, *, final: bool) -> Evaluation | None:
    prepared = job.prepared
    if job.run is None or prepared.held_out is None or not job.model.causal:
        return None
    event = evaluate(
        job.model,
        job.machine,
        prepared.tokenizer,
        prepared.held_out,
        job.training.context_length,
        step=job.state.step,
        most_tokens=None if final else EVALUATED_ON_THE_WAY,
    )
    if not math.isfinite(event.bits_per_byte):
        raise EngineError(
            f"The score after step {job.state.step} must be finite; found {event.bits_per_byte} bits per byte: the training "
            "diverged, or the model holds a token of the held-out text for impossible.",
            "Lower the learning rate (--optimizer.lr), or raise --optimizer.warmup-ratio.",
            code="diverged",
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
    generation = job.resolved.recipe.generation
    samples = generate(
        job.model,
        job.machine,
        job.prepared.tokenizer,
        job.sampler,
        generation.prompt,
        max_tokens=generation.max_tokens,
        samples=generation.samples,
        seed=job.training.seed,
        step=job.state.step,
    )
    lines = [
        {"step": sample.step, "final": final, "index": sample.index, "prompt": sample.prompt, "text": sample.text}
        for sample in samples
    ]
    job.run.append("samples.jsonl", *lines)
    for sample in samples:
        job.observer.on_sample(sample)
    return samples


def _save(job: Job) -> None:
    if job.run is None:
        return
    optimizers = job.optimization.optimizers if job.optimization else ()
    path = save_checkpoint(job.run.path, job.state, job.model, optimizers, job.resolved.recipe.reporting.keep_checkpoints)
    job.observer.on_checkpoint(Saved(step=job.state.step, path=path))


@contextlib.contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """Collect Ctrl-C, SIGTERM and SIGHUP instead of dying of them; a second one is obeyed at once."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may handle signals; a notebook's worker runs without
        return

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        if received and number in (signal.SIGINT, signal.SIGTERM):  # a terminal that is closed may say so twice
            raise KeyboardInterrupt
        received.append(number)

    with _handling(note):
        yield received


@contextlib.contextmanager
def _stopping_at_once() -> Iterator[None]:
    """Let SIGTERM and SIGHUP stop what can be done again as Ctrl-C does: by KeyboardInterrupt."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _handling(stop):
        yield


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    # A hang-up is a terminal that was closed; under nohup it stays ignored.
    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGINT]
    previous = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
