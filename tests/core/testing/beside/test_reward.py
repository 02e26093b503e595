"""Each wrong reward is caught by the check meant for it, and by no other."""

from __future__ import annotations

import math

import pytest

from pentad import Reward, RewardFunction
from pentad.testing import RewardConformance


class Right(RewardFunction):
    """Rewards the expected answer; every other reward breaks one promise."""

    def __init__(self, options):
        pass

    def rewards(self, prompt, answers, expected):
        return [float(answer == expected) for answer in answers]


class DividesByTheLength(Right):
    def rewards(self, prompt, answers, expected):
        return [float(answer == expected) if answer else math.nan for answer in answers]


class ComparesAnswers(Right):
    def rewards(self, prompt, answers, expected):
        return [float(answer == max(answers, key=len)) for answer in answers]


class LikesAll(Right):
    right = None

    def rewards(self, prompt, answers, expected):
        return [1.0 for _ in answers]


class LikesAnotherAnswer(Right):
    def rewards(self, prompt, answers, expected):
        return [float(answer == "cat, dog") for answer in answers]


WRONG = {
    "a_finite_number_for_each_answer": DividesByTheLength,
    "an_answer_is_judged_by_itself": ComparesAnswers,
    "answers_differ": LikesAll,
    "the_right_answer_counts_as_right": LikesAnotherAnswer,
}


def failed(reward):
    class Kit(RewardConformance):
        implementation = Reward(name="acme", summary="", factory=reward)

    return {check for check in Kit.checks() if Kit().run(check).outcome != "passed"}


def test_what_is_right_passes():
    assert failed(Right) == set()


@pytest.mark.parametrize("check", WRONG)
def test_what_is_wrong_fails_where_it_should(check):
    assert check in failed(WRONG[check])


def test_every_check_has_a_reward_that_fails_it():
    assert set(RewardConformance.checks()) == {*WRONG, "options_survive_json"}
