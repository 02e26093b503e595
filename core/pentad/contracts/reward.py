"""The reward contract: how good an answer to a prompt is, as a number.

A reward's factory is called as `factory(options)`; it gets `catalogue` too where it names it. Builders that learn from rewards
and evaluators of tasks look rewards up by name, as a record or a user names them: data never brings code. Importing this module
imports no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence


class RewardFunction(ABC):
    """Answers to one prompt, to a number for each.

    Promises, each checked by the conformance kit: a finite number for each answer, in their order; the same for the same
    answer, whatever else is asked with it; any text is taken, an empty one too.
    """

    needs_expected: bool = True
    """Whether it compares with the expected answer; then a task without one is refused."""

    right: float | None = 1.0
    """The reward from which an answer counts as right; None where no reward says so (the score of a model)."""

    @abstractmethod
    def rewards(self, prompt: str, answers: Sequence[str], expected: str) -> Sequence[float]:
        """Return the reward of each answer.

        Args:
            prompt: what was asked, as plain text.
            answers: what was written, without the token that ends it.
            expected: the answer of the data; empty where it has none.
        """
