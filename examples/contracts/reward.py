r"""Proves the contract of rewards (`RewardFunction`): a number for each answer, which the builder grpo raises.

engine run --plugin examples/contracts/reward.py --data questions.jsonl --start RUN --builder grpo \
    --builder.reward letter,letter=e

The reward of an answer is the share of one letter in it. No answer of the data is looked at, so lines such as
{"prompt": "Say something.", "completion": ""} will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Reward, RewardFunction, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class LetterOptions:
    """What is rewarded."""

    letter: str = option("e", "The letter whose share is the reward.")


class Letter(RewardFunction):
    """The share of a letter in an answer; 0 for an empty one."""

    needs_expected = False
    right = None

    def __init__(self, options: LetterOptions) -> None:
        self.options = options

    def rewards(self, prompt: str, answers: Sequence[str], expected: str) -> Sequence[float]:
        """Return the reward of each answer."""
        del prompt, expected
        return [answer.count(self.options.letter) / max(1, len(answer)) for answer in answers]


@hookimpl
def engine_rewards() -> Sequence[Reward]:
    """Offer the reward."""
    return [Reward(name="letter", summary="The share of a letter in the answer.", factory=Letter, options=LetterOptions)]
