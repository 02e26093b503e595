"""The options of corpora, rewards and the evaluator."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option

LEVELS = 4
"""How many degrees of difficulty each corpus has."""


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """How difficult the tasks are, how many, and which."""

    level: int = option(1, "Difficulty, from 1 to 4.", ge=1, le=LEVELS)
    mixed: bool = option(False, "Draw each task from all levels up to this one.")
    number: int = option(2000, "Tasks at most; each is another one, so an easy level may have fewer.", ge=1)
    seed: int = option(0, "Decides the tasks.", ge=0)
    repeat: int = option(1, "Give all of them so many times: the weight of few tasks in a mixture.", ge=1)


@dataclass(frozen=True, kw_only=True)
class AccuracyOptions:
    """How answers are judged."""

    reward: str = option("", "The reward that judges, in place of the one that a task names; exact where it names none.")
    max_tokens: int = option(48, "Maximum new tokens of an answer.", ge=1)
