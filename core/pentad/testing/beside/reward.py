"""The contract of rewards, as checks.

from pentad.testing import RewardConformance

class TestBrevity(RewardConformance):
    name = "brevity"

A reward that judges by what stands in `options` (the run of a model) is given them by the test class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pentad.contracts.reward import RewardFunction
from pentad.registry.catalogue import Catalogue
from pentad.testing.conformance import Conformance, require

_ANSWERS = ("5", "", "The answer is 5.", "cat, dog", "\u00e9\n\ud7ff \U0001f600", "5" * 200)


class RewardConformance(Conformance):
    """Checks of a reward.

    Attributes:
        prompt, expected: of a task that the reward can judge.
    """

    kind = "reward"
    prompt: ClassVar[str] = "2 + 3 ="
    expected: ClassVar[str] = "5"

    def reward(self) -> RewardFunction:
        """Make the reward under test."""
        made = self.make(catalogue=Catalogue(entry_points=()))
        require(isinstance(made, RewardFunction), f"the factory must return a RewardFunction, found a {type(made).__name__}")
        return made  # type: ignore[no-any-return]

    def found(self, answers: Sequence[str], reward: RewardFunction | None = None) -> list[float]:
        """Return what a reward says of answers; a fresh one unless given."""
        return [float(value) for value in (reward or self.reward()).rewards(self.prompt, answers, self.expected)]

    def check_a_finite_number_for_each_answer(self) -> None:
        """As many numbers as answers, none infinite or NaN, whatever the text is."""
        reward = self.reward()
        values = self.found(_ANSWERS, reward)
        require(len(values) == len(_ANSWERS), f"{len(_ANSWERS)} answers get {len(values)} rewards")
        odd = [answer for answer, value in zip(_ANSWERS, values, strict=True) if not math.isfinite(value)]
        require(not odd, f"the reward of {odd[:1]!r:.60} is not finite")
        require(self.found((), reward) == [], "no answers get rewards")

    def check_an_answer_is_judged_by_itself(self) -> None:
        """An answer gets the same reward alone and among others, in any order, and when it is asked again."""
        together = self.found(_ANSWERS)
        other = self.reward()
        alone = [self.found((answer,), other)[0] for answer in _ANSWERS]
        backwards = self.found(_ANSWERS[::-1], other)[::-1]
        for values in (alone, backwards):
            same = all(math.isclose(one, value, abs_tol=1e-5) for one, value in zip(together, values, strict=True))
            require(same, "an answer's reward hangs on the answers beside it; give each its own")

    def check_answers_differ(self) -> None:
        """Some answer is better than another: a reward that is always the same teaches nothing."""
        require(len(set(self.found((*_ANSWERS, self.expected)))) > 1, "all answers get the same reward")

    def check_the_right_answer_counts_as_right(self) -> None:
        """Where `right` names a reward, the expected answer reaches it, if the reward compares with one."""
        reward = self.reward()
        if reward.right is None or not reward.needs_expected:
            return
        value = self.found((self.expected,))[0]
        require(value >= reward.right, f"the expected answer gets {value}, and counts as right from {reward.right}")
