"""What a comparison found, as plain records: comparison.json holds them, the table and the report are drawn from them.

Sizes are in bytes, times in seconds, quality in bits per byte of held-out text (lower is better).
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

FORMAT = 1

Record = TypeVar("Record")


@dataclass(frozen=True, kw_only=True)
class Point:
    """The held-out score on the way (of a part of the held-out text) and, with `final`, at the budget's end (of all of it)."""

    step: int
    tokens: int
    bytes: float
    flops: float
    seconds: float
    bits_per_byte: float
    final: bool = False


@dataclass(frozen=True, kw_only=True)
class Text:
    """A generated text, or a held-out one in its place; `text` goes on from `prompt`."""

    prompt: str
    text: str


@dataclass(frozen=True, kw_only=True)
class TextFigures:
    """What is measured of generated texts; each figure is a mean over `n_texts` texts.

    Args:
        n_texts: texts measured.
        repetition: share of a text's 4-grams of words that stood in it before.
        distinct_1, distinct_2, distinct_3: different n-grams of words per n-gram, over all texts together.
        bits_per_byte: surprise of the text under the model that is judged (for generated text: under the one that wrote it).
        verbatim: share of the text's bytes inside passages of at least `verbatim_bytes` bytes that stand in the training text.
        longest_verbatim: bytes of the longest such passage of any text; `longest_text` is that passage.
    """

    n_texts: int
    repetition: float
    distinct_1: float
    distinct_2: float
    distinct_3: float
    bits_per_byte: float | None
    verbatim: float | None
    verbatim_bytes: int
    longest_verbatim: int | None
    longest_text: str = ""


@dataclass(frozen=True, kw_only=True)
class SamplerFigures:
    """One sampler's texts with the models of one arm: figures over all seeds, and a figure per seed for the spread."""

    sampler: str
    figures: TextFigures
    by_seed: Mapping[str, TextFigures]
    texts: Sequence[Text]


@dataclass(frozen=True, kw_only=True)
class SeedResult:
    """One run: an arm with one seed.

    Args:
        seed: decides the initial parameters, the order of examples and every draw.
        folder: where the run lies, below the comparison's folder.
        failure: why it failed; the other figures are then missing.
        bits_per_byte: the final score; None where the arm gives no probability of a text.
        loss, perplexity: per token, for what they are worth within one tokenizer.
        steps, tokens, bytes, flops: what the training read and computed.
        training_seconds: set-up and evaluation left out; wall_seconds: everything.
        tokens_per_second, bytes_per_second: of the training.
        peak_memory_bytes: of the process, or of the GPU where one computed.
        device, precision, threads: how it was computed.
        curve: the score on the way.
        reused: whether the run was there before this call.
    """

    seed: int
    folder: str
    failure: str = ""
    bits_per_byte: float | None = None
    loss: float | None = None
    perplexity: float | None = None
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
    bits_per_byte: Sequence[float | None]
    chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class ArmResult:
    """One way of doing it.

    Args:
        label: what tells it from the others, as users read it: `gpt, n_layer 4`.
        settings: what it sets of that which varies: `model` or `model.n_layer` to the value as a text.
        recipe: its tables, as a recipe file has them.
        reproduce: a shell command that repeats one of its runs.
        failure: why every seed failed, or why it could not be planned; empty otherwise.
        parameters: role (matrix, embedding, head, vector) to number of parameters.
        vocab_size: ids that the model knows.
        bytes_per_token: of the training text.
        flops_per_step: the products of matrices, forward and backward.
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
    mean: float | None = None
    spread: float | None = None
    seeds: Sequence[SeedResult] = ()
    candidates: Sequence[Candidate] = ()
    samplers: Sequence[SamplerFigures] = ()

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
    """An arm beside the baseline, seed by seed: `mean` is arm minus baseline, so negative is better.

    Args:
        arm, baseline: labels.
        n_seeds: seeds that both finished.
        mean: of the paired differences, in bits per byte; None without a common seed.
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
    """Arms whose figures mean the same.

    Args:
        reason: why they stand apart; empty for arms that are scored in bits per byte.
        arms: labels, best first where they are scored.
        baseline: the arm that the others are compared with; empty where nothing is compared.
        differences: every other arm beside the baseline.
    """

    reason: str
    arms: Sequence[str]
    baseline: str = ""
    differences: Sequence[Difference] = ()


@dataclass(frozen=True, kw_only=True)
class TokenizerFigures:
    """A tokenizer on held-out text, without any training of a model.

    Args:
        label: what tells it from the others.
        recipe: its table of options.
        failure: why it could not be trained.
        vocab_size: ids.
        n_bytes, n_tokens: of the held-out text.
        bytes_per_token, tokens_per_word: of it.
        used: share of the vocabulary that stands in the held-out text.
        renyi_efficiency: evenness of the ids' use, Renyi entropy of order 2.5 over the vocabulary's logarithm (Zouhar et al.
            2023).
        encode_bytes_per_second: on one thread.
        round_trip_failures: documents of the held-out text that do not come back as they were.
        lengths: bytes of a token to how many tokens of the held-out text have them.
        longest: the longest tokens that stand in it, as readable text.
    """

    label: str
    recipe: Mapping[str, Any]
    failure: str = ""
    vocab_size: int = 0
    n_bytes: int = 0
    n_tokens: int = 0
    bytes_per_token: float = 0.0
    tokens_per_word: float = 0.0
    used: float = 0.0
    renyi_efficiency: float = 0.0
    encode_bytes_per_second: float = 0.0
    round_trip_failures: int = 0
    lengths: Mapping[str, int] = field(default_factory=dict)
    longest: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Data:
    """The text: every arm has the same, cut the same way."""

    sources: Sequence[str]
    fingerprint: str
    rule: str
    train_bytes: int
    held_out_bytes: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that was found.

    Args:
        name: of its folder.
        command: the command line that repeats it.
        made: date and time, ISO 8601.
        engine, python, torch: versions.
        machine: what computed, in words.
        budget: as given (`60s`, `50MB`, `2e15flops`, `500 steps`); budget_unit: steps, seconds, flops or bytes.
        seeds: every arm's.
        confidence: of all of a group's intervals together.
        detect: the difference in bits per byte that the seeds still needed are reckoned for.
        data: the text.
        groups: arms that may be compared, and those that stand apart.
        arms: all of them, in the order of the command.
        tokenizers: instead of arms, where only tokenizers were compared.
        human: figures of held-out text after the prompts of the samples, and those texts.
        human_texts: them.
        notes: what a reader must know to judge the figures.
    """

    name: str
    command: str
    made: str
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

    def to_json(self) -> str:
        """Return the comparison as JSON."""
        return json.dumps(_finite(dataclasses.asdict(self)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """Return the value with null for what JSON has no word for."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_dict(kind: type[Record], values: Mapping[str, Any]) -> Record:
    """Make a record of this module from what JSON gave.

    Raises:
        KeyError, TypeError: it is none.
    """
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: _value(hints[name], values[name]) for name in names if name in values})


def _value(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _value(next(each for each in arguments if each is not type(None)), value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_dict(hint, value)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _value(arguments[1], each) for key, each in value.items()}
    if origin is not None and issubclass(origin, Sequence):
        return tuple(_value(arguments[0], each) for each in value)
    return value
