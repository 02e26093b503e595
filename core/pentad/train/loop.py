"""The loop of a job: steps to the end of the budget, with scores, samples and checkpoints on the way."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import numpy as np
import torch

from pentad.contracts.observer import Evaluation, RateScaled, RunResult, Sample, Saved, ScaleLearningRate, Step
from pentad.contracts.session import Decoder, Limits, Session
from pentad.contracts.vocabulary import MASK
from pentad.inference.answering import answer, questions
from pentad.inference.filling import mask_of, masked_excerpts, masked_prompt
from pentad.inference.generation import generate
from pentad.inference.scoring import judge
from pentad.runs.newest import latest_step
from pentad.runs.saving import save_checkpoint
from pentad.system.errors import EngineError, Interrupted, to_resume
from pentad.train.evaluating import tokens_on_the_way
from pentad.train.job import Job, plan_of
from pentad.train.trainer import StepResult


def train(job: Job, folder: Path) -> RunResult:
    """Train to the end of the budget, then score and sample.

    Raises:
        EngineError: the loss or a score is not finite, or the disk is full.
        Interrupted: Ctrl-C or SIGTERM; a checkpoint is saved.
    """
    job.observer.on_start(plan_of(job, folder))
    with _stop_requests() as stop:
        with _hinting_at_the_checkpoint(job):
            _train(job, folder, stop)
        if stop and job.world.size == 1:  # while the last checkpoint was written
            raise _stopped(job, folder)
    try:
        with _stopping_at_once(), job.evaluating():
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
        stop_reason=job.state.stopped,
    )
    job.tell("on_end", result)
    return result


@contextlib.contextmanager
def _hinting_at_the_checkpoint(job: Job) -> Iterator[None]:
    """Say of a run that diverged what it can go on from: with the same options it would come to the same."""
    try:
        yield
    except EngineError as error:
        step = latest_step(job.run.path) if job.run is not None and error.code == "diverged" else 0
        if job.run is not None and step:
            error.hint = f"Go on from step {step} with a lower learning rate: {to_resume(job.run.path)} --optimizer.lr X"
        raise


def _train(job: Job, folder: Path, stop: Sequence[int]) -> None:
    recipe = job.resolved.recipe
    saved = job.state.seconds
    reason = _heed(job)
    job.world.wait()  # for the first process, which has files to write: in a step this would count as training
    while job.progress() < 1:
        before = job.progress()
        result = job.trainer.step(job.state.step, job.progress(ahead=0.5), bool(stop), bool(reason))
        _advance(job, result, reason)
        done = job.progress() >= 1
        _report(job, result)
        if not done:
            _look(job, before)
        reason = _heed(job) or reason  # before the checkpoint, which keeps the rates
        seconds = recipe.reporting.checkpoint_seconds
        due = seconds and job.state.seconds - saved >= seconds
        if done or result.stop or due:
            _save(job)
            saved = job.state.seconds
            job.world.wait()  # likewise; and whoever resumes at once must find what the first process is still writing
        if result.stop:
            raise _stopped(job, folder)


def _look(job: Job, before: float) -> None:
    """Score and sample where that is due, with the weights to judge, which may cost a copy of all of them."""
    recipe = job.resolved.recipe
    score = _crossed(recipe.evaluation.evaluate_every, before, job.progress())
    sample = _crossed(recipe.generation.sample_every, before, job.progress())
    if score or sample:
        with job.evaluating():
            if score:
                _evaluate(job, final=False)
            if sample:
                _sample(job, final=False)


def _heed(job: Job) -> str:
    """Do what observers asked for since the last step, and return why the training is to end, or an empty text."""
    reason = ""
    for request in job.observer.pop_requests():
        if isinstance(request, ScaleLearningRate):
            before = job.trainer.scale
            job.trainer.scale *= request.factor
            job.state = dataclasses.replace(job.state, lr_scale=job.trainer.scale)
            said = request.reason or "an observer asked for it"
            job.tell("on_rate_scaled", RateScaled(step=job.state.step, before=before, after=job.trainer.scale, reason=said))
        else:
            reason = reason or request.reason or "an observer asked for it"
    return reason


def _stopped(job: Job, folder: Path) -> Interrupted:
    return Interrupted(
        f"Stopped at step {job.state.step}; everything up to it is saved.",
        f"To resume: {to_resume(folder)}",
    )


def _advance(job: Job, result: StepResult, reason: str) -> None:
    job.state = dataclasses.replace(
        job.state,
        step=job.state.step + 1,
        # Every process must come to the same end, so all go by the mean of their clocks.
        seconds=job.state.seconds + job.world.mean(result.seconds),
        tokens=job.state.tokens + job.training.batch_size * job.training.context_length,
        lr_scale=job.trainer.scale,
        stopped=(reason or "an observer of the first process asked for it") if result.ended else "",
    )


def _crossed(every: float, before: float, after: float) -> bool:
    """Say whether a multiple of `every` lies in (before, after]; the small number keeps 0.1 + 0.2 on the right side of 0.3."""
    return every > 0 and int(after / every + 1e-9) > int(before / every + 1e-9)


def _report(job: Job, result: StepResult) -> None:
    training, state = job.training, job.state
    event = Step(
        step=state.step,
        progress=job.progress(),
        loss=result.loss,
        learning_rate=result.learning_rate * job.trainer.scale,
        grad_norm=result.grad_norm,
        metrics=result.metrics,
        watched=job.trainer.objective.watched,
        tokens=state.tokens,
        seconds=state.seconds,
        tokens_per_second=training.batch_size * training.context_length / max(result.seconds, 1e-9),
        remaining=job.remaining(),
    )
    job.tell("on_step", event)


def _evaluate(job: Job, *, final: bool) -> Evaluation | None:
    """Judge the model; all processes take part, and the first one tells."""
    held_out = job.held_out(None if final else tokens_on_the_way(job))
    if job.evaluator is None or held_out is None:
        return None
    event = judge(job.session(), job.evaluator, held_out, step=job.state.step, final=final)
    if not math.isfinite(event.score):
        raise EngineError(
            f"The score after step {job.state.step} must be finite; found {event.score} ({event.primary}): the training "
            "diverged, or the model holds a token of the held-out text for impossible.",
            "Lower the learning rate (--optimizer.lr), or raise --optimizer.warmup-ratio.",
            code="diverged",
        )
    if not math.isnan(event.bits_per_byte):
        job.state = dataclasses.replace(job.state, bits_per_byte=event.bits_per_byte)
    job.tell("on_evaluation", event)
    return event


def _sample(job: Job, *, final: bool) -> list[Sample]:
    if not job.world.is_first:
        return []
    generation = job.resolved.recipe.generation
    limits = Limits(max_tokens=generation.max_tokens, samples=generation.samples, seed=job.training.seed)
    shard = job.prepared.held_out or job.prepared.train
    asked = [] if generation.prompt or not job.model.causal else questions(shard.tokens, limits.samples)
    session = job.session()
    if not job.model.causal:
        samples = _filled(job, session, limits, final)
    elif asked:
        samples = answer(session, job.sampler, asked, limits, step=job.state.step, final=final)
    else:
        samples = _written(job, session, generation.prompt, limits, final)
    for sample in samples:
        job.tell("on_sample", sample)
    return samples


def _written(job: Job, session: Session, prompt: str, limits: Limits, final: bool) -> list[Sample]:
    """Let a causal model go on from the prompt."""
    builder, ids = job.prepared.builder, None
    if not builder.writes_on:
        before = job.prepared.tokenizer.encode(prompt).astype(np.int64)
        found = builder.gap_prompt(before, before[:0])
        ids = None if found is None else torch.from_numpy(found)
    return generate(session, job.sampler, prompt, limits, ids=ids, step=job.state.step, final=final)


def _filled(job: Job, session: Session, limits: Limits, final: bool) -> list[Sample]:
    """Let a bidirectional model fill in the masks of the prompt, or else held-out text as its builder masks it."""
    prompt, vocabulary = job.resolved.recipe.generation.prompt, job.prepared.vocabulary
    if mask_of(vocabulary) is None or isinstance(job.sampler, Decoder):
        return []
    parts = prompt.split(f"<{MASK}>")
    if len(parts) > 1:
        ids = torch.from_numpy(masked_prompt(job.prepared.tokenizer, vocabulary, parts))
        return generate(session, job.sampler, "", limits, ids=ids, step=job.state.step, final=final)
    held_out = job.prepared.held_out or job.prepared.train
    excerpts = masked_excerpts(
        job.prepared.builder, held_out.tokens, vocabulary, limits.samples, limits.max_tokens, limits.seed
    )
    one = dataclasses.replace(limits, samples=1)
    found = [
        generate(session, job.sampler, "", one, ids=torch.from_numpy(ids), step=job.state.step, final=final)[0]
        for ids in excerpts
    ]
    return [dataclasses.replace(sample, index=index) for index, sample in enumerate(found)]


def _save(job: Job) -> None:
    if job.run is None:
        return
    keep = job.resolved.recipe.reporting.keep_checkpoints
    path = save_checkpoint(job.run.path, job.state, job.model, job.optimization, keep, job.left_out)
    job.tell("on_checkpoint", Saved(step=job.state.step, path=path))


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
