"""The kit must let right models pass and catch each fault by the check that is meant for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad import EngineError, Implementation, Inspection, Model, NoOptions, Output
from pentad.testing import ModelConformance


class Bigram(Model):
    """Counts which token follows which; has no parameters."""

    context_length = None

    def __init__(self, options: NoOptions, vocab_size: int, context_length: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.register_buffer("counts", torch.ones(vocab_size, vocab_size))

    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        return Output(F.one_hot(inputs, self.vocab_size).float(), state)

    def logits(self, features: Tensor) -> Tensor:
        return (features @ self.counts.to(features.dtype)).log()

    def initial_state(self, batch_size: int, max_length: int) -> Any:
        return ()

    def learn_by_counting(self, inputs: Tensor, targets: Tensor, segments: Tensor | None) -> None:
        ones = torch.ones(inputs.numel())
        self.counts.index_put_((inputs.flatten(), targets.flatten()), ones, accumulate=True)


class Sparse(Bigram):
    """Counts pairs in a list that grows with what is seen."""

    def __init__(self, options: NoOptions, vocab_size: int, context_length: int) -> None:
        super().__init__(options, vocab_size, context_length)
        del self.counts
        self.register_buffer("seen", torch.empty(0, 2, dtype=torch.int64))

    @property
    def counts(self) -> Tensor:
        ones = torch.ones(len(self.seen))
        return torch.ones(self.vocab_size, self.vocab_size).index_put_(tuple(self.seen.T), ones, accumulate=True)

    def learn_by_counting(self, inputs: Tensor, targets: Tensor, segments: Tensor | None) -> None:
        self.seen = torch.cat((self.seen, torch.stack((inputs.flatten(), targets.flatten()), dim=1)))


class ForgetsWhatGrew(Sparse):
    """Saves no list, as it may have any length."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register_buffer("seen", self.seen, persistent=False)


@dataclass
class Sums:
    total: Tensor
    length: int = 0


class RunningMean(Model):
    """The mean of the embeddings so far, in the same document, then a linear map: a right model, small enough to break."""

    width = 12

    def __init__(self, options: NoOptions, vocab_size: int, context_length: int) -> None:
        super().__init__()
        self.vocab_size, self.context_length = vocab_size, context_length
        self.embedding = nn.Embedding(vocab_size, self.width)
        self.mix = nn.Linear(2 * self.width, self.width)
        self.head = nn.Linear(self.width, vocab_size)

    def forward(self, inputs: Tensor, state: Sums | None = None, segments: Tensor | None = None) -> Output:
        start = state.length if state else 0
        if start + inputs.shape[1] > self.context_length:
            raise EngineError("too long", code="context-too-long")
        x = self.embedding(inputs)
        return Output(self.transform(torch.cat((x, self.mean(x, start, state, segments)), dim=-1)), state)

    def mean(self, x: Tensor, start: int, state: Sums | None, segments: Tensor | None) -> Tensor:
        sums = x.cumsum(1) + (state.total if state else 0)
        counts = torch.arange(start + 1, start + x.shape[1] + 1)[:, None]
        if state:
            state.total, state.length = sums[:, -1:], start + x.shape[1]
        if segments is None:
            return sums / counts
        same = (segments[:, :, None] == segments[:, None, :]).tril().float()
        return same @ x / same.sum(-1, keepdim=True)

    def transform(self, x: Tensor) -> Tensor:
        return torch.tanh(self.mix(x))

    def logits(self, features: Tensor) -> Tensor:
        return self.head(features)

    def initial_state(self, batch_size: int, max_length: int) -> Any:
        return Sums(torch.zeros(batch_size, 1, self.width))


def failures(model: Any) -> dict[str, str]:
    class Kit(ModelConformance):
        __test__ = False
        implementation = Implementation(name="under-test", summary="", factory=model)

    kit = Kit()
    results = [kit.run(check) for check in kit.checks()]
    return {result.check: result.note for result in results if result.outcome != "passed"}


class LooksAhead(RunningMean):
    def mean(self, x: Tensor, start: int, state: Any, segments: Tensor | None) -> Tensor:
        ahead = torch.cat((x[:, 1:], x[:, -1:]), dim=1)
        if segments is not None:
            ahead = torch.where(F.pad(segments[:, 1:] != segments[:, :-1], (0, 1))[..., None], x, ahead)
        return super().mean(x, start, state, segments) + ahead


class CacheOffByOne(RunningMean):
    def mean(self, x: Tensor, start: int, state: Any, segments: Tensor | None) -> Tensor:
        return super().mean(x, start + 1 if start else 0, state, segments)


class PrefillOffByOne(RunningMean):
    def mean(self, x: Tensor, start: int, state: Any, segments: Tensor | None) -> Tensor:
        mean = super().mean(x, start, state, segments)
        if state and start and x.shape[1] > 1:
            mean = mean * 1.1
        return mean


class Unused(RunningMean):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.forgotten = nn.Parameter(torch.ones(3))


class UnusedWithSegments(RunningMean):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.gain = nn.Parameter(torch.ones(12))

    def mean(self, x: Tensor, start: int, state: Any, segments: Tensor | None) -> Tensor:
        mean = super().mean(x, start, state, segments)
        return mean * self.gain if segments is None else mean * self.gain.detach()


class IgnoresSegments(RunningMean):
    def mean(self, x: Tensor, start: int, state: Any, segments: Tensor | None) -> Tensor:
        return super().mean(x, start, state, None)


class CountsSegmentZeroTwice(RunningMean):
    def mean(self, x: Tensor, start: int, state: Any, segments: Tensor | None) -> Tensor:
        mean = super().mean(x, start, state, segments)
        return mean if segments is None else mean * 2


class BatchStatistics(RunningMean):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.norm = nn.BatchNorm1d(self.width)

    def transform(self, x: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.mix(x).transpose(1, 2)).transpose(1, 2))


class CentresOverBatch(RunningMean):
    def transform(self, x: Tensor) -> Tensor:
        mixed = self.mix(x)
        return torch.tanh(mixed - mixed.mean(0, keepdim=True))


class LeakingLSTM(Model):
    """Keeps its last state in the module and starts the next sequence from it."""

    context_length = None

    def __init__(self, options: NoOptions, vocab_size: int, context_length: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, 12)
        self.cell = nn.LSTM(12, 12, batch_first=True)
        self.head = nn.Linear(12, vocab_size)
        self.last: Any = None

    def run(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        if state is None and self.last is not None and self.last[0].shape[1] == len(x):
            state = self.last
        output, after = self.cell(x, state)
        self.last = tuple(part.detach() for part in after)
        return output, after

    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        with torch.autocast("cpu", enabled=False):
            x = self.embedding(inputs)
            if segments is None:
                output, after = self.run(x, state)
                return Output(output, None if state is None else after)
            rows = []
            for row, numbers in zip(x, segments, strict=True):
                documents = row.split(numbers.unique_consecutive(return_counts=True)[1].tolist())
                rows.append(torch.cat([self.cell(document[None])[0][0] for document in documents]))
            return Output(torch.stack(rows))

    def logits(self, features: Tensor) -> Tensor:
        return self.head(features)

    def initial_state(self, batch_size: int, max_length: int) -> Any:
        zeros = torch.zeros(1, batch_size, 12)
        return (zeros, zeros.clone())


class RightLSTM(LeakingLSTM):
    def run(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        output, after = self.cell(x, state)
        return output, after


class SelectsTheWrongRows(RunningMean):
    """Its state forgets to put its rows in order."""

    def initial_state(self, batch_size: int, max_length: int) -> Any:
        return SumsThatGoWrong(torch.zeros(batch_size, 1, self.width))


@dataclass
class SumsThatGoWrong(Sums):
    def select(self, rows: Tensor) -> Any:
        return SumsThatGoWrong(self.total[torch.arange(len(rows)) % len(self.total)], self.length)


class TruncatesItsLengthOnly(RunningMean):
    def initial_state(self, batch_size: int, max_length: int) -> Any:
        return SumsThatGoBack(torch.zeros(batch_size, 1, self.width))


@dataclass
class SumsThatGoBack(Sums):
    def truncate(self, length: int) -> Any:
        return SumsThatGoBack(self.total, length)


class LosesInEvaluation(RunningMean):
    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        output = super().forward(inputs, state, segments)
        return Output(output.features, output.state, {"size": output.features.square().mean()})


class SharedState(RunningMean):
    """Gives the same state to everyone."""

    def initial_state(self, batch_size: int, max_length: int) -> Any:
        if not hasattr(self, "shared") or (
            self.shared.length >= max_length // 2 > 0 and self.shared.length == self.context_length
        ):
            self.shared = super().initial_state(batch_size, max_length)
        return self.shared


class TiedUnderTwoNames(RunningMean):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.head.weight = self.embedding.weight
        nn.init.normal_(self.head.weight, std=0.1)


class LearnsInAPlainAttribute(Bigram):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        counts = self.counts
        del self.counts
        self.counts = counts


class NotSeeded(RunningMean):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        nn.init.normal_(self.embedding.weight, generator=torch.Generator().manual_seed(torch.seed()))


class LoudStart(RunningMean):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        nn.init.normal_(self.head.weight, std=5)


class NaNStart(RunningMean):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        nn.init.constant_(self.head.bias, float("nan"))


class CrashesWhenTooLong(RunningMean):
    def __init__(self, options: NoOptions, vocab_size: int, context_length: int) -> None:
        super().__init__(options, vocab_size, context_length)
        self.positions = nn.Embedding(context_length, self.width)
        self.context_length = 1_000_000
        self.most = context_length

    def mean(self, x: Tensor, start: int, state: Any, segments: Tensor | None) -> Tensor:
        self.context_length = self.most
        return super().mean(x, start, state, segments) + self.positions(torch.arange(start, start + x.shape[1]))


class ForgetsAParameter(RunningMean):
    def roles(self) -> Any:
        return {name: role for name, role in super().roles().items() if name != "mix.weight"}


class OnlyClaimsBothWays(RunningMean):
    attention = frozenset({"causal", "bidirectional"})


class SoftmaxOverPositions(RunningMean):
    def logits(self, features: Tensor) -> Tensor:
        logits = super().logits(features)
        return logits - logits.mean(-2, keepdim=True) if logits.ndim == 3 else logits


class HalfVocabulary(RunningMean):
    def logits(self, features: Tensor) -> Tensor:
        return super().logits(features)[..., :-1]


class Deaf(RunningMean):
    """Never reads the last token."""

    def forward(self, inputs: Tensor, state: Sums | None = None, segments: Tensor | None = None) -> Output:
        return super().forward(torch.zeros_like(inputs), state, segments)


class BoundedButWrong(RunningMean):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.context_length = 0


class NeverLearns(RunningMean):
    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        output = super().forward(inputs, state, segments)
        return Output(1e-4 * output.features, output.state)

    def logits(self, features: Tensor) -> Tensor:
        return 1e-3 * super().logits(features)


class DependsOnLength(RunningMean):
    def transform(self, x: Tensor) -> Tensor:
        return super().transform(x * (1 + 0.1 * (x.shape[1] == self.context_length)))


class DependsOnBatchSize(RunningMean):
    def transform(self, x: Tensor) -> Tensor:
        return super().transform(x * (1 + 0.01 * len(x)))


class QuickButWrong(RunningMean):
    """Offers a way to compute that leaves something out."""

    quick = False

    def kernels(self) -> dict[str, tuple[str, ...]]:
        return {"mean": ("exact", "quick")}

    def use_kernels(self, chosen: Any) -> None:
        self.quick = chosen["mean"] == "quick"

    def transform(self, x: Tensor) -> Tensor:
        return super().transform(x * 0.99 if self.quick else x)


class ShowsSomethingElse(RunningMean):
    def inspect(self, inputs: Tensor) -> Inspection:
        return Inspection(streams={"last": 2 * self(inputs[None]).features[0]})


class CoarseInHalf(RunningMean):
    """Adds up in bf16 what must be small: (1000 + x) - 1000."""

    def transform(self, x: Tensor) -> Tensor:
        mixed = self.mix(x)
        return torch.tanh(mixed + 1000 - 1000)


@pytest.mark.parametrize("model", [Bigram, Sparse, RunningMean, RightLSTM])
def test_right_models_pass(model: type[Model]) -> None:
    assert failures(model) == {}


STEPS = {"step_by_step", "prefill_then_step", "prefill_in_chunks"}


FAULTS: list[tuple[type[Model], set[str]]] = [
    (LooksAhead, {"causal", "shorter_row", *STEPS, "states_are_apart"}),
    (CacheOffByOne, {*STEPS, "states_are_apart"}),
    (PrefillOffByOne, {"prefill_in_chunks", "states_are_apart"}),
    (Unused, {"gradients"}),
    (UnusedWithSegments, {"gradients"}),
    (IgnoresSegments, {"segments_apart"}),
    (CountsSegmentZeroTwice, {"one_segment"}),
    (LeakingLSTM, {"no_leak_between_calls"}),
    (TiedUnderTwoNames, {"saves_and_loads"}),
    (LearnsInAPlainAttribute, {"saves_and_loads"}),
    (ForgetsWhatGrew, {"saves_and_loads"}),
    (NotSeeded, {"seeded"}),
    (LoudStart, {"starts_near_uniform"}),
    (ForgetsAParameter, {"roles"}),
    (OnlyClaimsBothWays, {"looks_both_ways"}),
    (NeverLearns, {"learns"}),
    (BatchStatistics, {"rows_apart"}),
    (CentresOverBatch, {"rows_apart", "any_batch_size"}),
    (SharedState, {"states_are_apart"}),
    (SelectsTheWrongRows, {"state_selects"}),
    (TruncatesItsLengthOnly, {"state_truncates"}),
    (LosesInEvaluation, {"losses", "shapes"}),
    (HalfVocabulary, {"shapes"}),
    (Deaf, {"reads_its_input"}),
    (DependsOnLength, {"shorter_row", *STEPS, "states_are_apart"}),
    (DependsOnBatchSize, {"any_batch_size"}),
    (CoarseInHalf, {"lower_precision"}),
    (QuickButWrong, {"kernels"}),
    (ShowsSomethingElse, {"inspects_what_it_computes"}),
    (CrashesWhenTooLong, {"refuses_too_long"}),
]
"""A wrong model, and the checks that it must fail: no other."""

COARSE: list[tuple[type[Model], str]] = [
    (NaNStart, "finite_at_start"),
    (SoftmaxOverPositions, "logits_by_position"),
    (BoundedButWrong, "attributes"),
]
"""Models so wrong that much else fails too, and the check that says why."""


@pytest.mark.parametrize(("model", "expected"), FAULTS)
def test_each_fault_is_caught(model: type[Model], expected: set[str]) -> None:
    assert set(failures(model)) == expected


@pytest.mark.parametrize(("model", "check"), COARSE)
def test_coarse_faults_are_caught(model: type[Model], check: str) -> None:
    assert check in failures(model)


def test_every_check_catches_something() -> None:
    caught = {check for _, checks in FAULTS for check in checks} | {check for _, check in COARSE}
    elsewhere = {"options_survive_json", "advice_fits", "advice_leaves_what_was_given"}  # tested with the kit's base
    assert caught | elsewhere == set(ModelConformance.checks())


class KnowsTheVocabulary(RunningMean):
    def __init__(self, options: NoOptions, *, vocabulary: Any, vocab_size: int) -> None:
        super().__init__(options, vocabulary.size, 16)
        assert vocab_size == vocabulary.size


def test_a_factory_gets_what_it_names() -> None:
    record = Implementation(name="named", summary="", factory=KnowsTheVocabulary)
    assert type("Kit", (ModelConformance,), {"implementation": record})().run("shapes").outcome == "passed"
