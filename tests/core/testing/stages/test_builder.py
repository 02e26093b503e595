"""Each wrong builder is caught by the check meant for it, and by no other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from pentad import Batch, ExampleBuilder, Implementation, NoOptions, SpecialToken, random_words, segments_of, shuffled
from pentad.contracts.batch import IGNORED
from pentad.testing import ExampleBuilderConformance


class Right(ExampleBuilder):
    """Windows side by side, the last one at the end of the text; every other builder breaks one promise."""

    def __init__(self, options, *, context_length, vocab_size, end_of_text):
        self.context_length = context_length
        self.end_of_text = end_of_text
        self.vocab_size = vocab_size

    def count(self, tokens):
        ring = len(tokens) - 1
        return 0 if ring < self.context_length else -(-ring // self.context_length)

    def build(self, tokens, indices, seed):
        _, windows = shuffled(indices, self.count(tokens), seed)
        starts = np.minimum(windows * self.context_length, len(tokens) - 1 - self.context_length)
        at = starts[:, None] + np.arange(self.context_length + 1)
        rows = np.asarray(tokens.ids)[at].astype(np.int64)
        inputs, targets = rows[:, :-1], rows[:, 1:]
        if tokens.learn is not None:
            targets = np.where(tokens.learn[at[:, 1:]], targets, IGNORED)
        return Batch(inputs=inputs, targets=targets, segments=segments_of(inputs, self.end_of_text))


class ShiftedByOne(Right):
    def build(self, tokens, indices, seed):
        batch = super().build(tokens, indices, seed)
        return replace(batch, targets=np.where(batch.targets == IGNORED, IGNORED, batch.inputs))


class LearnsAcrossDocuments(Right):
    def build(self, tokens, indices, seed):
        return replace(super().build(tokens, indices, seed), segments=None)


class Stateful(Right):
    """Goes on where the last call ended, as a data loader would."""

    def __init__(self, options, **arguments):
        super().__init__(options, **arguments)
        self.at = 0

    def build(self, tokens, indices, seed):
        first, self.at = self.at, self.at + len(indices)
        return super().build(tokens, np.arange(first, self.at) if seed is not None else indices, seed)


class DependsOnItsBatch(Right):
    def build(self, tokens, indices, seed):
        return super().build(tokens, np.sort(indices), seed)


class IgnoresTheSeed(Right):
    def build(self, tokens, indices, seed):
        return super().build(tokens, indices, None if seed is None else 7)


class ShufflesWithoutASeed(Right):
    def build(self, tokens, indices, seed):
        return super().build(tokens, indices, 3 if seed is None else seed)


class DrawsWithReplacement(Right):
    """Some examples twice and others not at all."""

    def build(self, tokens, indices, seed):
        if seed is not None:
            indices = (random_words(seed, indices) % np.uint64(self.count(tokens))).astype(np.int64)
        return super().build(tokens, indices, None)


class LeavesTheTailOut(Right):
    def count(self, tokens):
        return max(0, len(tokens) - 1) // self.context_length


class TeachesOneEndOnly(Right):
    def build(self, tokens, indices, seed):
        batch = super().build(tokens, indices, seed)
        hidden = (batch.targets == self.end_of_text) & (batch.inputs != tokens.ids[-2])
        return replace(batch, targets=np.where(hidden, IGNORED, batch.targets))


class ThirtyTwoBits(Right):
    def build(self, tokens, indices, seed):
        batch = super().build(tokens, indices, seed)
        return replace(batch, inputs=batch.inputs.astype(np.int32))


class SegmentsFall(Right):
    def build(self, tokens, indices, seed):
        batch = super().build(tokens, indices, seed)
        return replace(batch, segments=None if batch.segments is None else -batch.segments)


class ExamplesOfNothing(Right):
    def count(self, tokens):
        return max(1, super().count(tokens))


class WritesIntoTheText(Right):
    def build(self, tokens, indices, seed):
        tokens.ids[0] = tokens.ids[0]
        return super().build(tokens, indices, seed)


class LooksIntoTheMemoryBehindTheText(Right):
    def build(self, tokens, indices, seed):
        whole = tokens.ids if tokens.ids.base is None or isinstance(tokens.ids, np.memmap) else tokens.ids.base
        return super().build(replace(tokens, ids=whole), indices, seed)


class Ends(Right):
    def build(self, tokens, indices, seed):
        if indices.max() >= 1000 * self.count(tokens):
            raise IndexError("no such example")
        return super().build(tokens, indices, seed)


class MasksNothing(Right):
    """A bidirectional builder that shows what it asks for."""

    attention = "bidirectional"
    special_tokens = (SpecialToken(name="mask"),)

    def build(self, tokens, indices, seed):
        batch = super().build(tokens, indices, seed)
        learned = (np.arange(self.context_length) % 4 == 1) & (batch.inputs != self.end_of_text)
        if tokens.learn is not None:
            learned &= np.isin(batch.inputs, tokens.ids[tokens.learn])
        return replace(batch, inputs=self.shown(batch.inputs, learned), targets=np.where(learned, batch.inputs, IGNORED))

    def shown(self, inputs, learned):
        return inputs


class Masks(MasksNothing):
    def shown(self, inputs, learned):
        return np.where(learned, self.vocab_size, inputs)


class TeachesSomethingElse(Masks):
    def build(self, tokens, indices, seed):
        batch = super().build(tokens, indices, seed)
        return replace(batch, targets=np.where(batch.targets > 1, batch.targets - 1, batch.targets))


class LearnsThePrompt(Right):
    def build(self, tokens, indices, seed):
        return super().build(replace(tokens, learn=None), indices, seed)


class LikeBERT(Masks):
    """Of what it learns it masks most, shows a tenth, and puts other tokens in place of a tenth."""

    def shown(self, inputs, learned):
        number = inputs % 10
        other = 1 + (inputs * 7) % (self.vocab_size - 1)
        hidden = np.where(number == 0, inputs, np.where(number == 1, other, self.vocab_size))
        return np.where(learned, hidden, inputs)


class MasksWithAnUndeclaredId(Masks):
    special_tokens = ()


def failures(builder, options=NoOptions):
    record = Implementation(name="wrong", summary="", factory=builder, options=options)
    kit = type("Kit", (ExampleBuilderConformance,), {"implementation": record})()
    return {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}


@pytest.mark.parametrize("builder", [Right, Masks, LikeBERT])
def test_right_builders_pass(builder):
    assert failures(builder) == {}


@pytest.mark.parametrize(
    ("builder", "check"),
    [
        (LearnsAcrossDocuments, "nothing_crosses_documents"),
        (Stateful, "same_rows_in_any_grouping"),
        (DependsOnItsBatch, "same_rows_in_any_grouping"),
        (IgnoresTheSeed, "seed_decides_the_order"),
        (ShufflesWithoutASeed, "no_seed_is_the_order_of_the_text"),
        (LeavesTheTailOut, "examples_cover_the_text"),
        (TeachesOneEndOnly, "end_of_text_is_learned"),
        (ThirtyTwoBits, "rows_have_their_shape"),
        (MasksWithAnUndeclaredId, "ids_are_within_the_vocabulary"),
        (SegmentsFall, "segments_count_up"),
        (ExamplesOfNothing, "too_short_a_text_has_no_examples"),
        (WritesIntoTheText, "reads_memory_maps"),
        (LooksIntoTheMemoryBehindTheText, "stays_within_the_text"),
        (Ends, "goes_on_without_end"),
        (MasksNothing, "some_targets_are_hidden"),
        (LearnsThePrompt, "learn_mask"),
    ],
)
def test_a_wrong_builder_is_caught_by_the_check_meant_for_it(builder, check):
    assert list(failures(builder)) == [check]


def test_wrong_targets_are_caught_and_so_is_what_they_teach_in_place_of_the_text():
    assert set(failures(ShiftedByOne)) == {"targets_are_the_next_token", "learn_mask"}
    assert set(failures(TeachesSomethingElse)) == {"targets_are_the_text", "learn_mask", "examples_cover_the_text"}


def test_repeated_examples_are_caught_and_so_is_what_they_leave_out():
    assert set(failures(DrawsWithReplacement)) == {"examples_are_distinct", "examples_cover_the_text"}


@dataclass(frozen=True, kw_only=True)
class OptionsOfBytes:
    ratios: tuple[str, ...] = field(default=(b"a",), metadata={})


def test_options_that_do_not_survive_json_are_caught():
    assert list(failures(Right, OptionsOfBytes)) == ["options_survive_json"]


def test_messages_tell_what_to_change():
    assert "shifted by one" in failures(ShiftedByOne)["targets_are_the_next_token"]
    assert "segments" in failures(LearnsAcrossDocuments)["nothing_crosses_documents"]


class KnowsTheTokenizer(Right):
    def __init__(self, options, *, tokenizer, context_length, vocab_size, end_of_text):
        super().__init__(options, context_length=context_length, vocab_size=vocab_size, end_of_text=end_of_text)
        assert (tokenizer.vocab_size, tokenizer.end_of_text) == (vocab_size, end_of_text)
        assert tokenizer.encode("any text").max() < vocab_size


def test_a_factory_gets_what_it_names():
    record = Implementation(name="named", summary="", factory=KnowsTheTokenizer)
    assert (
        type("Kit", (ExampleBuilderConformance,), {"implementation": record})().run("rows_have_their_shape").outcome == "passed"
    )
