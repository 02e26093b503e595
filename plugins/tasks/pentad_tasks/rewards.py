"""Checks of an answer, by name. None of them runs anything that stands in the data."""

from __future__ import annotations

import itertools
import re
from abc import abstractmethod
from collections.abc import Sequence

from pentad import NoOptions, RewardFunction

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_WORD = re.compile(r"\w+")
_LONGEST = 10_000
"""Characters of an answer that are looked at."""


class Check(RewardFunction):
    """A reward that judges each answer by itself."""

    def __init__(self, options: NoOptions) -> None:
        del options

    def rewards(self, prompt: str, answers: Sequence[str], expected: str) -> Sequence[float]:
        """Return the reward of each answer."""
        del prompt
        return [float(self.judge(answer[:_LONGEST], expected)) for answer in answers]

    @abstractmethod
    def judge(self, answer: str, expected: str) -> float:
        """Return the reward of an answer."""


class Exact(Check):
    """The expected text, but for blanks at its ends."""

    def judge(self, answer: str, expected: str) -> float:
        """Return 1 or 0."""
        return answer.strip() == expected.strip()


class Number(Check):
    """The last number of the answer, as text that reasons first and then answers is read."""

    def judge(self, answer: str, expected: str) -> float:
        """Return 1 or 0; 0 where either has no number."""
        found, wanted = _NUMBER.findall(answer), _NUMBER.findall(expected)
        return bool(found and wanted) and float(found[-1]) == float(wanted[-1])


class Words(Check):
    """The expected words in their order."""

    def judge(self, answer: str, expected: str) -> float:
        """Return 1 or 0."""
        return _WORD.findall(answer.casefold()) == _WORD.findall(expected.casefold())


class Items(Check):
    """A list with commas of as many different words as the expected answer has, whichever they are."""

    def judge(self, answer: str, expected: str) -> float:
        """Return 1 or 0."""
        items = [item.strip() for item in answer.split(",")]
        return len(set(items)) == len(items) == len(expected.split(",")) and all(_WORD.fullmatch(item) for item in items)


class Prefix(Check):
    """How far the answer is right from its beginning on: a reward that also tells wrong answers from each other."""

    def judge(self, answer: str, expected: str) -> float:
        """Return from 0 to 1; what stands behind the expected answer counts against it."""
        answer, expected = answer.strip(), expected.strip()
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(answer, expected, strict=False))
        return sum(1 for _ in same) / max(len(answer), len(expected), 1)
