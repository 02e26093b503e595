"""The results of a comparison as plain records: comparison.json holds them, the tables and the report show them.

Sizes are in bytes, times in seconds. A score is the primary score of the evaluator that judged the run (`Metric`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pentad.tools import stamped
from pentad_cli.tools import plain
from pentad_compare.measures.figures import SamplerFigures, Text, TextFigures, TokenizerFigures

FORMAT = 2

Record = TypeVar("Record")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What a run is ranked by.

    Args:
        evaluator: the name of the evaluator that judged.
        name: of its primary score, `bits_per_byte`.
        lower_is_better: the score's direction.
    """

    evaluator: str
    name: str
    lower_is_better: bool = True

    @property
    def title(self) -> str:
        """The score's name in a sentence."""
        return self.name.replace("_", " ")

    @property
    def axis(self) -> str:
        """The title of an axis of scores."""
        return f"{self.title} ({'lower' if self.lower_is_better else 'higher'} is better)"

    def amount(self, number: str) -> str:
        """Return a difference with its unit: `0.21 bits per byte`, `0.03 in accuracy`."""
        return f"{number} {self.title}" if self.name == "bits_per_byte" else f"{number} in {self.title}"

    def rank(self, score: float) -> float:
        """Return what sorts scores best first."""
        return score if self.lower_is_better else -score

    def is_better(self, difference: float) -> bool:
        """Say whether a difference, arm minus baseline, means that the arm is better."""
        return self.rank(difference) < 0


BITS_PER_BYTE = Metric(evaluator="bits-per-byte", name="bits_per_byte")


@dataclass(frozen=True, kw_only=True)
class Point:
    """The score during training (of a part of the held-out text) and, with `final`, at the budget's end (of all of it)."""

    step: int
    tokens: int
    bytes: float
    flops: float
    seconds: float
    score: float
    final: bool = False


@dataclass(frozen=True, kw_only=True)
class SeedResult:
    """One run: an arm with one seed.

    Args:
        seed: decides the initial parameters, the order of examples and every draw.
        folder: the run's, below the comparison's folder.
        failure: why it failed; the other figures are then missing.
        metric: what the score is; None where no evaluator fits the run.
        score: the final score.
        scores: every final score that the evaluator gave, by name.
        steps, tokens, bytes, flops: what the training read and computed.
        training_seconds: set-up and evaluation left out; wall_seconds: everything.
        tokens_per_second, bytes_per_second: of the training.
        peak_memory_bytes: of the process, or of the GPU where one computed.
        device, precision, threads: how it was computed.
        curve: the score during training.
        reused: whether the run was finished before this call.
    """

    seed: int
    folder: str
    failure: str = ""
    metric: Metric | None = None
    score: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    tokens: int = 0
    bytes: float = 0.0
    flops: float = 0.0
    training_seconds: float = 0.0
    wall_seconds: float = 0.0
    tokens_per_second: float = 0.0
    bytes_per_second: float = 0.0
    peak_memory_bytes: int = 0
    device: str = ""
    precision: str = ""
    threads: int = 0
    curve: Sequence[Point] = ()
    reused: bool = False


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One setting that was tried while tuning: its options, and the validation score of each tuning seed (None: failed)."""

    options: Mapping[str, str]
    scores: Sequence[float | None]
    chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class ArmResult:
    """One of the ways that are compared.

    Args:
        label: what tells it from the others, as users read it: `gpt, n_layer 4`.
        settings: its values of what varies, as text: `model` or `model.n_layer` to the value.
        recipe: its tables, as a recipe file has them.
        reproduce: a shell command that repeats one of its runs.
        failure: why every seed failed, or why it could not be planned; empty otherwise.
        parameters: role (matrix, embedding, head, vector) to number of parameters.
        vocab_size: ids that the model knows.
        bytes_per_token: of the training text.
        flops_per_step: the products of matrices, forward and backward.
        metric: what its runs are ranked by; None where no evaluator fits them.
        mean, spread: of the final scores over the seeds: mean and standard deviation (None with fewer than two).
        seeds: every run.
        candidates: what was tried while tuning.
        samplers: figures of the texts that its models wrote, a record a sampler.
    """

    label: str
    settings: Mapping[str, str]
    recipe: Mapping[str, Mapping[str, Any]]
    reproduce: str
    failure: str = ""
    parameters: Mapping[str, int] = field(default_factory=dict)
    vocab_size: int = 0
    bytes_per_token: float = 0.0
    flops_per_step: float = 0.0
    metric: Metric | None = None
    mean: float | None = None
    spread: float | None = None
    seeds: Sequence[SeedResult] = ()
    candidates: Sequence[Candidate] = ()
    samplers: Sequence[SamplerFigures] = ()

    @property
    def done(self) -> Sequence[SeedResult]:
        """The runs that finished."""
        return [seed for seed in self.seeds if not seed.failure]

    @property
    def seeds_done(self) -> str:
        """How many seeds finished: `3`, `2 of 3`."""
        done = len(self.done)
        return str(done) if done == len(self.seeds) else f"{done} of {len(self.seeds)}"

    @property
    def n_parameters(self) -> int:
        """All parameters."""
        return sum(self.parameters.values())

    @property
    def n_embedding(self) -> int:
        """Parameters of the embedding and of an output head of its own."""
        return self.parameters.get("embedding", 0) + self.parameters.get("head", 0)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An arm against the baseline, seed by seed: `mean` is arm minus baseline.

    Args:
        arm, baseline: labels.
        n_seeds: seeds that both finished.
        mean: of the paired differences of scores; None without a common seed.
        low, high: the interval; None with fewer than two seeds.
        verdict: better, worse, none (no difference shown) or unknown (no interval).
        words: the verdict as a sentence.
    """

    arm: str
    baseline: str
    n_seeds: int
    mean: float | None
    low: float | None
    high: float | None
    verdict: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Arms whose scores mean the same.

    Args:
        reason: why they are not ranked with the others; empty for the main group.
        metric: what they are ranked by; None where they have no score.
        arms: labels, best first where they are scored.
        baseline: the arm that the others are compared with; empty where nothing is compared.
        differences: every other arm against the baseline.
    """

    reason: str
    metric: Metric | None = None
    arms: Sequence[str]
    baseline: str = ""
    differences: Sequence[Difference] = ()


@dataclass(frozen=True, kw_only=True)
class Data:
    """The text: every arm has the same, with the same split."""

    sources: Sequence[str]
    fingerprint: str
    rule: str
    train_bytes: int
    held_out_bytes: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that is known after a comparison.

    Args:
        name: of its folder.
        command: the command line that repeats it.
        created: date and time, ISO 8601.
        engine, python, torch: versions.
        machine: what computed, in words.
        budget: as given (`60s`, `50MB`, `2e15flops`, `500 steps`); budget_unit: steps, seconds, flops or bytes.
        seeds: every arm's.
        confidence: of all of a group's intervals together.
        detect: the effect size of the power analysis: a difference of scores.
        data: the text.
        groups: arms that may be compared with each other, the main group first.
        arms: all of them, in the order of the command.
        tokenizers: instead of arms, where only tokenizers were compared.
        human, human_texts: the held-out texts after the prompts of the samples, and their figures.
        notes: what a reader must know to judge the figures.
    """

    name: str
    command: str
    created: str
    engine: str
    python: str
    torch: str
    machine: str
    budget: str
    budget_unit: str
    seeds: Sequence[int]
    confidence: float
    detect: float
    data: Data
    groups: Sequence[Group] = ()
    arms: Sequence[ArmResult] = ()
    tokenizers: Sequence[TokenizerFigures] = ()
    human: TextFigures | None = None
    human_texts: Sequence[Text] = ()
    notes: Sequence[str] = ()
    format: int = FORMAT

    def arm(self, label: str) -> ArmResult:
        """Return an arm by its label."""
        return next(arm for arm in self.arms if arm.label == label)

    def to_json(self, report: str = "") -> str:
        """Return the comparison as JSON, with null for infinite numbers, and a digest of it all.

        Args:
            report: the page that stands beside it, whose SHA-256 it holds as `report`.
        """
        values = {**plain(self), "report": hashlib.sha256(report.encode()).hexdigest()}
        return json.dumps(stamped(values), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_dict(kind: type[Record], values: Mapping[str, Any]) -> Record:
    """Make a record of this module from what JSON gave.

    Raises:
        KeyError, TypeError: the values are no such record.
    """
    _require(values, Mapping)
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: _value(hints[name], values[name]) for name in names if name in values})


def _value(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _value(next(kind for kind in arguments if kind is not type(None)), value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_dict(hint, value)
    if origin is not None and issubclass(origin, Mapping):
        _require(value, Mapping)
        return {key: _value(arguments[1], item) for key, item in value.items()}
    if origin is not None and issubclass(origin, Sequence):
        _require(value, (list, tuple))
        return tuple(_value(arguments[0], item) for item in value)
    if hint is float and value is not None:  # null is what JSON has for an infinite number
        _require(value, (int, float))
    elif hint in (int, str):
        _require(value, hint)
    return value


def _require(value: Any, kind: type | tuple[type, ...]) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind}, found {type(value).__name__}")
