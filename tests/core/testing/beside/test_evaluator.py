"""Each wrong evaluator is caught by the check meant for it, and by no other."""

from __future__ import annotations

import math

import pytest
import torch

from pentad import Evaluator, RunEvaluator
from pentad.testing import EvaluatorConformance
from pentad.tools import score_windows


class Right(RunEvaluator):
    """Nats per token; every other evaluator breaks one promise."""

    primary = "loss"

    def __init__(self, options):
        pass

    def supports(self, run):
        return "" if run.model.causal else "It needs a causal model."

    def evaluate(self, session, text):
        score = score_windows(session, text)
        scores = {"loss": score.nats / score.n_tokens, "n_tokens": score.n_tokens, "n_bytes": score.n_bytes}
        return self.changed(scores, session, text)

    def changed(self, scores, session, text):
        return scores


class SaysYesByTrue(Right):
    def supports(self, run):
        return None if run.model.causal else "It needs a causal model."


class SupportsNothing(Right):
    def supports(self, run):
        return "It needs a model of whales."


class Infinite(Right):
    def changed(self, scores, session, text):
        return {**scores, "perplexity": math.inf}


class NamesAnotherScore(Right):
    primary = "accuracy"


class CountsNothing(Right):
    def changed(self, scores, session, text):
        return {name: value for name, value in scores.items() if name != "n_bytes"}


class DrawsATextOnTheWay(Right):
    def changed(self, scores, session, text):
        return {**scores, "luck": float(torch.rand(()))}


class WrongDirection(Right):
    lower_is_better = False


class JudgesEverything(Right):
    def evaluate(self, session, text):
        from dataclasses import replace

        return super().evaluate(session, replace(text, max_tokens=None))


class LeavesTheTrainingModeOn(Right):
    def changed(self, scores, session, text):
        session.model.train()
        return scores


def kit_of(evaluator):
    return type("Kit", (EvaluatorConformance,), {"implementation": Evaluator(name="wrong", summary="", factory=evaluator)})()


def failures(evaluator):
    kit = kit_of(evaluator)
    return {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}


def test_a_right_evaluator_passes():
    assert failures(Right) == {}


@pytest.mark.parametrize(
    ("evaluator", "check"),
    [
        (SaysYesByTrue, "supports_says_why_not"),
        (Infinite, "scores_are_finite_numbers"),
        (NamesAnotherScore, "primary_is_a_score"),
        (CountsNothing, "says_what_was_judged"),
        (DrawsATextOnTheWay, "same_scores_again"),
        (WrongDirection, "a_better_model_scores_better"),
        (JudgesEverything, "judges_a_part_where_asked"),
        (LeavesTheTrainingModeOn, "changes_nothing"),
    ],
)
def test_a_wrong_evaluator_is_caught_by_the_check_meant_for_it(evaluator, check):
    found = failures(evaluator)
    assert list(found) == [check], found


def test_one_that_supports_no_run_of_the_kit_is_not_checked_and_told_so():
    kit = kit_of(SupportsNothing)
    outcomes = {check: kit.run(check).outcome for check in kit.checks()}
    assert set(outcomes.values()) == {"passed", "not checked"}
    assert outcomes["supports_says_why_not"] == "passed"
    assert "whales" in kit.run("primary_is_a_score").note
