"""What a run reports, and who may listen.

Every event is one frozen record, so that it can grow without breaking an observer. Subclass `RunObserver` and override what
interests you. An observer that raises is reported once and left out from then on; it never ends a run.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pentad.config.recipe import Recipe
from pentad.system.chart import Line, Picture, line_chart
from pentad.system.errors import one_line
from pentad.system.frames import raised_in
from pentad.system.json_lines import read_lines


@dataclass(frozen=True, kw_only=True)
class StopTraining:
    """An observer's wish that the training ends here, well and with a score: `reason` is recorded with the run."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class ScaleLearningRate:
    """An observer's wish that every learning rate is multiplied by `factor` from the next step on; `reason` is recorded."""

    factor: float
    reason: str = ""


Request = StopTraining | ScaleLearningRate
"""What an observer's method may return; None asks for nothing."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Work before the training: `what` is being done; `done` is a share of it, or None when that is unknown."""

    what: str
    done: float | None = None


@dataclass(frozen=True, kw_only=True)
class StartedFrom:
    """The run that another starts from.

    Args:
        folder: where it is.
        step: its training steps behind the weights.
        new_tokens: special tokens that it did not know.
        changed: what differs from its recipe, by name (`model.dropout`), as (there, here).
    """

    folder: Path
    step: int
    new_tokens: Sequence[str] = field(default=())
    changed: Mapping[str, tuple[object, object]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan:
    """What a run will do, known before it starts.

    Args:
        folder: where the run lies.
        recipe: every choice, resolved.
        parameters: role (matrix, embedding, head, vector) to number of parameters.
        vocab_size: ids that the model knows.
        train_tokens, train_bytes, held_out_bytes, documents: sizes of the text.
        tokens_per_step: tokens that a step reads.
        steps: steps in all; an estimate when the budget is a time.
        epochs: passes over the training text.
        flops_per_step: floating-point operations of a step, forward and backward: its products of matrices.
        seconds_per_step: measured on a few steps; None when nothing was measured.
        memory_bytes: estimate of the most that the process, or a GPU, holds at once, an evaluation included.
        device, precision, compiled, threads: how it will be computed.
        kernels: what of it was measured to be faster than the usual ways, in words; empty where that was nothing.
        resumed_step: the step that a resumed run continues from; 0 for a new one.
        warnings: what the user should know before the run starts.
        start: the run that it starts from, or None.
        sizing: stage, or `training`, to why it has the sizes that the user left open, in a few words.
        examples: what the builder says of its examples, in a few words, such as how much of them is padding.
        compiling_seconds: what compiling before the first step took, of which a budget pays; expected where `only_planned`.
    """

    folder: Path | None
    recipe: Recipe
    parameters: dict[str, int]
    vocab_size: int
    train_tokens: int
    train_bytes: int
    held_out_bytes: int
    documents: int
    tokens_per_step: int
    steps: int
    epochs: float
    flops_per_step: float
    seconds_per_step: float | None
    memory_bytes: int
    device: str
    precision: str
    compiled: bool
    threads: int
    resumed_step: int = 0
    warnings: Sequence[str] = field(default=())
    start: StartedFrom | None = None
    sizing: Mapping[str, str] = field(default_factory=dict)
    examples: str = ""
    kernels: str = ""
    compiling_seconds: float = 0.0
    only_planned: bool = False

    @property
    def seconds(self) -> float | None:
        """Estimated seconds of training."""
        return None if self.seconds_per_step is None else self.seconds_per_step * (self.steps - self.resumed_step)

    def __repr__(self) -> str:
        """Say the size of the job; the attributes hold the rest."""
        parameters = f"{sum(self.parameters.values()):,} parameters"
        return f"<Plan: {self.recipe.model.name} with {parameters}, {self.steps:,} steps, {self.train_bytes:,} bytes of text>"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One finished optimizer step.

    Args:
        step: steps finished, this one included.
        progress: share of the budget that is used, from 0 to 1.
        loss: mean loss of the step's targets, nats per token.
        learning_rate: the schedule's factor on every group's rate.
        grad_norm: norm of the gradient before clipping.
        metrics: the objective's further means, and the model's auxiliary losses, by name.
        watched: the one of them that tells how the learning goes; empty where the loss does.
        tokens: tokens read since the beginning of the run.
        seconds: training time since the beginning of the run.
        tokens_per_second: over the last steps.
        remaining: estimated seconds of training left.
    """

    step: int
    progress: float
    loss: float
    learning_rate: float
    grad_norm: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    watched: str = ""
    tokens: int
    seconds: float
    tokens_per_second: float
    remaining: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Evaluation:
    """The held-out text, scored.

    Args:
        step: training steps behind the model.
        evaluator: who judged.
        scores: what it found, by name.
        primary: the score by which runs are compared.
        lower_is_better: its direction.
        n_bytes, n_tokens: what was scored, each byte once.
        context_length: tokens that the model could look back on at most.
        seconds: how long it took.
        final: whether it is the score of the whole held-out text at the end of the run.
        table: the scores as rows for a person, the titles first; empty where the evaluator offers none.
    """

    step: int
    evaluator: str
    scores: Mapping[str, float]
    primary: str
    lower_is_better: bool = True
    n_bytes: int
    n_tokens: int
    context_length: int
    seconds: float
    final: bool = False
    table: Sequence[Sequence[str]] = field(default=())

    @property
    def score(self) -> float:
        """The primary score."""
        return self.scores[self.primary]

    @property
    def bits_per_byte(self) -> float:
        """Negative log2-likelihood of the text per UTF-8 byte: compares across tokenizers; NaN where it was not judged."""
        return self.scores.get("bits_per_byte", math.nan)

    @property
    def lossless(self) -> bool:
        """Whether the text can be had back from its tokens; else lost bytes are charged, and nothing is shown by comparing."""
        return "lost_bytes" not in self.scores

    @property
    def loss(self) -> float:
        """Nats per token, which compare within one tokenizer; NaN where it was not judged."""
        return self.scores.get("loss", math.nan)

    @property
    def perplexity(self) -> float:
        """The exponential of the loss."""
        return math.exp(min(self.loss, 700.0))

    def __repr__(self) -> str:
        """Say the primary score and whence it is."""
        return f"<Evaluation: {self.primary} {self.score:.3f} at step {self.step:,}, {self.n_bytes:,} bytes>"


@dataclass(frozen=True, kw_only=True, repr=False)
class Sample:
    """A generated text.

    Args:
        step, index: training steps behind the model, and its number among those generated together.
        prompt, text: the text continues the prompt.
        suffix: what stands behind the text, where it fills a gap.
        masked: a text that was filled in as it was read, with `<mask>`s; `text` is then the whole of it, and `prompt` is empty.
        tokens: the ids that were drawn, in the order of the text.
        tokens_per_second, final: of all texts together; whether it was generated at the end of the run.
        ended: why it ends, as `TokenEvent.ended` says it.
    """

    step: int
    index: int
    prompt: str
    text: str
    tokens: Sequence[int]
    tokens_per_second: float
    final: bool = False
    ended: str = ""
    suffix: str = ""
    masked: str = ""

    def __repr__(self) -> str:
        """Show the beginning of the text."""
        text = self.prompt + self.text + self.suffix
        shown = repr(text[:60]) + ("…" if len(text) > 60 else "")
        return f"<Sample {self.index} at step {self.step:,}: {shown}>"


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A complete checkpoint."""

    step: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class RateScaled:
    """An observer had the learning rates changed after `step` steps: the factor on all, beside the schedule, and why."""

    step: int
    before: float
    after: float
    reason: str


@dataclass(frozen=True, kw_only=True, repr=False)
class RunResult:
    """How a run ended.

    Args:
        folder: where the run lies.
        step: steps done.
        seconds: training time, set-up and evaluation left out.
        tokens: tokens read.
        evaluation: the final score, or None when no text was held out.
        stop_reason: why an observer ended the training before its budget; empty when none did.
        samples: the final texts.
    """

    folder: Path
    step: int
    seconds: float
    tokens: int
    evaluation: Evaluation | None
    samples: Sequence[Sample]
    stop_reason: str = ""

    @property
    def bits_per_byte(self) -> float | None:
        """The final score on the held-out text."""
        return self.evaluation.bits_per_byte if self.evaluation else None

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of the run's metrics.jsonl as they are now, each of a `kind`: step, evaluation and others.

        Raises:
            EngineError: the file cannot be read.
        """
        return read_lines(self.folder / "metrics.jsonl")

    def plot(self) -> Picture:
        """Return the loss of the training and of the held-out text over the steps as SVG; a notebook shows it.

        Raises:
            EngineError: as for `metrics`.
        """
        kinds = {"step": "training loss", "evaluation": "held-out loss"}
        metrics = self.metrics
        lines = [
            Line(
                name=name,
                points=[(line["step"], line["loss"]) for line in metrics if line.get("kind") == kind and "loss" in line],
                marked=kind == "evaluation",
            )
            for kind, name in kinds.items()
        ]
        return line_chart([line for line in lines if line.points], "step", "loss, nats per token")

    def _repr_svg_(self) -> str:
        return str(self.plot())

    def __repr__(self) -> str:
        """Say the score, the steps and the place."""
        score = f"{self.evaluation.primary} {self.evaluation.score:.3f}" if self.evaluation else "nothing held out"
        return f"<RunResult: {score} after {self.step:,} steps, {self.folder}>"


class RunObserver:
    """Listens to a run; every method may be overridden and does nothing by default.

    An exception in an observer never ends a run: it is shown once, as a warning with the file and
    line, and the observer is told nothing from then on, the end of the run included. What it had
    asked for before still holds. What must survive Ctrl-C is written at once: `on_end` is called
    for runs that are done. Methods are called in the first process only, between two steps, so that
    the run waits while they work; nothing is written to stdout, which holds the result of the
    command.

    `on_step` and `on_evaluation` may return a `StopTraining` or a `ScaleLearningRate`; it holds from the next step on.
    """

    def on_preparation(self, event: Preparation) -> None:
        """Work before the training continues."""

    def on_start(self, event: Plan) -> None:
        """Training starts, or resumes."""

    def on_step(self, event: Step) -> Request | None:
        """A step is finished."""
        return None

    def on_evaluation(self, event: Evaluation) -> Request | None:
        """The held-out text was scored."""
        return None

    def on_sample(self, event: Sample) -> None:
        """A text was generated on the way or at the end."""

    def on_rate_scaled(self, event: RateScaled) -> None:
        """The learning rates are others from here on, as an observer asked."""

    def on_checkpoint(self, event: Saved) -> None:
        """A checkpoint is complete on the disk."""

    def on_end(self, event: RunResult) -> None:
        """The run is done; not called when it is interrupted or fails."""


class Observers(RunObserver):
    """Passes every event on to many observers, survives those that raise, and collects what they ask for."""

    def __init__(self, observers: Sequence[RunObserver]) -> None:
        self._observers = list(observers)
        self._requests: list[Request] = []

    def pop_requests(self) -> list[Request]:
        """Return what was asked for since the last time, and forget it."""
        requests, self._requests = self._requests, []
        return requests

    def _tell(self, method: str, event: object) -> None:
        for observer in list(self._observers):
            try:
                request = getattr(observer, method)(event)
            except Exception as error:
                self._observers.remove(observer)
                name = type(observer).__name__
                place = raised_in(error, type(observer).__module__)
                where = f" ({place})" if place else ""
                warnings.warn(f"The observer {name} raised in {method} and is left out from here on: {one_line(error)}{where}")
                continue
            if isinstance(request, StopTraining | ScaleLearningRate):
                self._requests.append(request)

    def on_preparation(self, event: Preparation) -> None:
        """Pass on."""
        self._tell("on_preparation", event)

    def on_start(self, event: Plan) -> None:
        """Pass on."""
        self._tell("on_start", event)

    def on_step(self, event: Step) -> None:
        """Pass on."""
        self._tell("on_step", event)

    def on_evaluation(self, event: Evaluation) -> None:
        """Pass on."""
        self._tell("on_evaluation", event)

    def on_sample(self, event: Sample) -> None:
        """Pass on."""
        self._tell("on_sample", event)

    def on_rate_scaled(self, event: RateScaled) -> None:
        """Pass on."""
        self._tell("on_rate_scaled", event)

    def on_checkpoint(self, event: Saved) -> None:
        """Pass on."""
        self._tell("on_checkpoint", event)

    def on_end(self, event: RunResult) -> None:
        """Pass on."""
        self._tell("on_end", event)
