"""Each wrong builder that writes with the model is caught by the check meant for it, and by no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pentad import IGNORED, Batch, CrossEntropy, ExampleBuilder, Implementation, Limits, random_words, shuffled
from pentad.testing import ExampleBuilderConformance, ObjectiveConformance, PolicyBuilderConformance

ANSWER = 5


class Right(ExampleBuilder):
    """The first two tokens of a document, and an answer of the model; every other builder breaks one promise."""

    needs_policy = True

    def __init__(self, options, *, context_length, vocab_size, end_of_text):
        self.context_length, self.end_of_text = context_length, end_of_text

    def count(self, tokens):
        return max(0, len(tokens.starts) - 1)

    def prompts(self, tokens, indices, seed):
        _, documents = shuffled(indices, self.count(tokens), seed)
        return [tokens.ids[tokens.starts[document] :][:3].astype(np.int64) for document in documents]

    def build(self, tokens, indices, seed):
        inputs = np.stack(self.prompts(tokens, indices, seed))
        return Batch(inputs=inputs, targets=np.full_like(inputs, IGNORED))

    def seeds(self, seed, indices):
        return (random_words(seed, indices) >> np.uint64(1)).tolist()

    def answer(self, prompt, seed, session):
        limits = Limits(max_tokens=ANSWER, seed=seed)
        return [event.token for event in session.generate(torch.from_numpy(prompt), None, limits)]

    def roll_out(self, tokens, indices, seed, session):
        inputs = np.full((len(indices), 3 + ANSWER), self.end_of_text, dtype=np.int64)
        targets = np.full_like(inputs, IGNORED)
        prompts, seeds = self.prompts(tokens, indices, seed), self.seeds(seed, indices)
        for row, (prompt, own) in enumerate(zip(prompts, seeds, strict=True)):
            answer = self.answer(prompt, own, session)
            inputs[row, : 2 + len(answer)] = [*prompt, *answer][:-1]
            targets[row, 2 : 2 + len(answer)] = answer
        weights = np.ones(inputs.shape, dtype=np.float32)
        return Batch(inputs=inputs, targets=targets, weights=weights, extra={"index": indices % 100})


class Changed(Right):
    def roll_out(self, tokens, indices, seed, session):
        return self.changed(super().roll_out(tokens, indices, seed, session), indices)


class WeightsInDoublePrecision(Changed):
    def changed(self, batch, indices):
        return replace(batch, weights=batch.weights.astype(np.float64))


class ExtraOfTheWholeBatch(Changed):
    def changed(self, batch, indices):
        return replace(batch, extra={"index": batch.extra["index"][:1]})


class LearnsNothing(Changed):
    def changed(self, batch, indices):
        return replace(batch, targets=np.full_like(batch.targets, IGNORED))


class DrawsFromTheGlobalGenerator(Right):
    def seeds(self, seed, indices):
        torch.rand(1)
        return torch.randint(1000, (len(indices),)).tolist()


class DrawsByThePlaceInTheBatch(Right):
    def seeds(self, seed, indices):
        return [1000 * seed + place for place in range(len(indices))]


class IgnoresTheSeed(Right):
    def roll_out(self, tokens, indices, seed, session):
        return super().roll_out(tokens, indices, 7, session)


class WritesWithoutTheModel(Right):
    def answer(self, prompt, seed, session):
        return [(seed + place) % 200 for place in range(ANSWER)]


class MovesTheWeights(Right):
    def answer(self, prompt, seed, session):
        answer = super().answer(prompt, seed, session)
        next(session.model.parameters()).mul_(1.0 + 1e-6)
        return answer


class EndsAfterOnePass(Right):
    def roll_out(self, tokens, indices, seed, session):
        return super().roll_out(tokens, indices[indices < 1000], seed, session)


class MinusOneDocument(Right):
    def count(self, tokens):
        return len(tokens.starts) - 1


class ShowsNothing(Right):
    def build(self, tokens, indices, seed):
        return None


def kit_of(builder, base=PolicyBuilderConformance):
    record = Implementation(name="wrong", summary="", factory=builder)
    return type("Kit", (base,), {"implementation": record})


def failures(builder):
    kit = kit_of(builder)()
    return {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}


def test_a_right_builder_passes():
    assert failures(Right) == {}


@pytest.mark.parametrize(
    ("builder", "check"),
    [
        (WeightsInDoublePrecision, "rows_have_their_shape"),
        (ExtraOfTheWholeBatch, "rows_have_their_shape"),
        (LearnsNothing, "ids_are_within_the_vocabulary"),
        (DrawsFromTheGlobalGenerator, "same_rows_again"),
        (DrawsByThePlaceInTheBatch, "same_rows_in_any_grouping"),
        (IgnoresTheSeed, "seed_decides"),
        (WritesWithoutTheModel, "rows_follow_the_model"),
        (MovesTheWeights, "changes_nothing"),
        (EndsAfterOnePass, "goes_on_without_end"),
        (MinusOneDocument, "too_short_a_text_has_no_examples"),
        (ShowsNothing, "build_shows_the_prompts"),
    ],
)
def test_a_wrong_builder_is_caught_by_the_check_meant_for_it(builder, check):
    found = failures(builder)
    assert list(found) == [check], found


class WithObjective(Right):
    def objective(self):
        return CrossEntropy()


def test_the_builder_decides_which_contracts_are_checked():
    (kit,) = kit_of(Right, ExampleBuilderConformance).kits()
    assert issubclass(kit, PolicyBuilderConformance)
    kits = kit_of(WithObjective, ExampleBuilderConformance).kits()
    assert [kit.__mro__[1] for kit in kits] == [PolicyBuilderConformance, ObjectiveConformance]


def test_the_wrong_class_names_the_right_one():
    note = kit_of(Right, ExampleBuilderConformance)().run("rows_have_their_shape").note
    assert "test it with PolicyBuilderConformance" in note
