"""The contract of observers, as checks: the events of whole runs, and of runs that are interrupted.

from pentad.testing import ObserverConformance

class TestNotifier(ObserverConformance):
    name = "notifier"
"""

from __future__ import annotations

import contextlib
import io
import math
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pentad.config.recipe import Recipe
from pentad.contracts.observer import (
    Evaluation,
    Plan,
    Preparation,
    RateScaled,
    RunObserver,
    RunResult,
    Sample,
    Saved,
    ScaleLearningRate,
    Step,
    StopTraining,
)
from pentad.testing.conformance import Conformance, require

STEPS = 6


class ObserverConformance(Conformance):
    """Checks of an observer."""

    kind = "observer"

    def observer(self) -> RunObserver:
        """Make the observer under test."""
        made = self.make()
        require(isinstance(made, RunObserver), f"the factory must return a RunObserver, found a {type(made).__name__}")
        return made  # type: ignore[no-any-return]

    def watch(self, events: Iterator[tuple[str, Any]], observer: RunObserver | None = None) -> list[tuple[str, Any]]:
        """Tell an observer of events, and return the names of its methods with what they returned."""
        observer = observer or self.observer()
        return [(method, getattr(observer, method)(event)) for method, event in events]

    def check_takes_a_whole_run(self) -> None:
        """Every event of a run, from the preparation to the end, is taken without an error."""
        with _folder() as folder:
            self.watch(run_events(folder))

    def check_takes_any_score(self) -> None:
        """A score that is not in bits per byte, or better when higher, and a run without any score, are taken too."""
        with _folder() as folder:
            self.watch(run_events(folder, score="accuracy"))
        with _folder() as folder:
            self.watch(run_events(folder, score=""))

    def check_takes_an_interrupted_run(self) -> None:
        """A run that was interrupted, of which no end was told, goes on with another observer in the same folder."""
        with _folder() as folder:
            self.watch(event for event in run_events(folder) if event[0] != "on_end")
            self.watch(run_events(folder, first=STEPS))

    def check_takes_two_runs(self) -> None:
        """One observer may watch a run after the other."""
        observer = self.observer()
        for _ in range(2):
            with _folder() as folder:
                self.watch(run_events(folder), observer)

    def check_asks_for_what_can_be_done(self) -> None:
        """`on_step` and `on_evaluation` return None or a request that can be met; the other methods return None."""
        with _folder() as folder:
            answers = self.watch(run_events(folder, rising=True))
        for method, answer in answers:
            may_ask = method in ("on_step", "on_evaluation")
            expected = "None, a StopTraining or a ScaleLearningRate" if may_ask else "None"
            fits = answer is None or (may_ask and isinstance(answer, StopTraining | ScaleLearningRate))
            require(fits, f"{method} must return {expected}; found {answer!r:.80}")
            if isinstance(answer, StopTraining):
                said = isinstance(answer.reason, str) and bool(answer.reason.strip())
                require(said, "StopTraining needs a reason, which is recorded with the run")
            if isinstance(answer, ScaleLearningRate):
                fine = isinstance(answer.factor, int | float) and math.isfinite(answer.factor) and answer.factor > 0
                require(fine, f"ScaleLearningRate needs a finite factor above 0; found {answer.factor!r}")
                require(isinstance(answer.reason, str), f"the reason of ScaleLearningRate is a text; found {answer.reason!r}")

    def check_leaves_stdout_alone(self) -> None:
        """Nothing is written to stdout, which holds the result of a command."""
        with contextlib.redirect_stdout(io.StringIO()) as written, _folder() as folder:
            self.watch(run_events(folder))
        require(not written.getvalue(), f"it writes {written.getvalue()[:40]!r} to stdout; write to a file or to stderr")

    def check_draws_no_random_numbers(self) -> None:
        """The global random generators are left alone: a run gives the same with an observer and without."""
        import torch

        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        before = _generators(torch)
        with _folder() as folder:
            self.watch(run_events(folder))
        used = [name for name, state in _generators(torch).items() if state != before[name]]
        require(not used, f"it draws from the global generator of {', '.join(used)}; use a generator of its own")


def run_events(
    folder: Path, *, first: int = 0, score: str = "bits_per_byte", rising: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield the method and the event for all that a small run tells.

    Args:
        folder: of the run.
        first: steps that were done before.
        score: by what it is judged; empty for by nothing.
        rising: whether losses and scores get worse all the time.
    """
    yield "on_preparation", Preparation(what="Reading the text")
    yield "on_preparation", Preparation(what="Encoding the text", done=0.5)
    yield "on_start", _plan(folder, first)
    for step in range(first + 1, first + STEPS + 1):
        yield "on_step", _step(step, 2.0 + step if rising else 5.0 / step)
        if step % 2 == 0:
            if score:
                yield "on_evaluation", _evaluation(step, score, 2.0 + step if rising else 4.0 / step)
            yield "on_sample", _sample(step)
            yield "on_rate_scaled", RateScaled(step=step, before=1.0, after=0.5, reason="as asked")
            yield "on_checkpoint", Saved(step=step, path=folder / "checkpoints" / f"step-{step}")
    last = first + STEPS
    final = _evaluation(last, score, 4.0 / last, final=True) if score else None
    if final is not None:
        yield "on_evaluation", final
    yield "on_sample", _sample(last, final=True)
    samples = (_sample(last, final=True),)
    yield (
        "on_end",
        RunResult(folder=folder, step=last, seconds=0.6, tokens=1000 * last, evaluation=final, samples=samples),
    )


def _plan(folder: Path, first: int) -> Plan:
    return Plan(
        folder=folder,
        recipe=_recipe(),
        parameters={"matrix": 3000, "embedding": 500, "vector": 20},
        vocab_size=257,
        train_tokens=9000,
        train_bytes=9000,
        held_out_bytes=1000,
        documents=40,
        tokens_per_step=1000,
        steps=first + STEPS,
        epochs=0.5,
        flops_per_step=1e6,
        seconds_per_step=0.1,
        memory_bytes=1_000_000,
        device="cpu",
        precision="fp32",
        compiled=False,
        threads=1,
        resumed_step=first,
    )


def _recipe() -> Recipe:
    stages = {"tokenizer": "first", "builder": "second", "model": "third", "optimizer": "fourth", "sampler": "fifth"}
    return Recipe(**stages, data="text.txt")  # type: ignore[arg-type]


def _step(step: int, loss: float) -> Step:
    return Step(
        step=step,
        progress=min(1.0, step / STEPS),
        loss=loss,
        learning_rate=1.0,
        grad_norm=0.5,
        metrics={"reward": 0.25},
        tokens=1000 * step,
        seconds=0.1 * step,
        tokens_per_second=10_000.0,
        remaining=0.1 * max(0, STEPS - step),
    )


def _evaluation(step: int, score: str, value: float, final: bool = False) -> Evaluation:
    plain = score == "bits_per_byte"
    return Evaluation(
        step=step,
        evaluator=score.replace("_", "-"),
        scores={score: value, "loss": value / 2} if plain else {score: value},
        primary=score,
        lower_is_better=plain,
        n_bytes=1000,
        n_tokens=1000,
        context_length=16,
        seconds=0.01,
        final=final,
    )


def _sample(step: int, final: bool = False) -> Sample:
    text = "cat \N{GRINNING FACE}\n"
    return Sample(step=step, index=0, prompt="A ", text=text, tokens=(1, 2, 3), tokens_per_second=99.0, final=final)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Make a run's folder, with a name that is not plain."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "a run, née X"
        folder.mkdir()
        yield folder


def _generators(torch: Any) -> dict[str, Any]:
    """Return where the global generators are."""
    numpy = np.random.get_state(legacy=True)
    states = {"random": random.getstate(), "numpy": tuple(map(str, numpy)) if isinstance(numpy, tuple) else numpy}
    return {**states, "torch": torch.get_rng_state().tolist()}
