"""Cases in batches: each batch has a name by which it is found again, and a process of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .child import Ended, each_in_child


@dataclass(frozen=True)
class Case:
    """One attack: what was done, how it ended, and why that is wrong; empty where it is right."""

    what: str
    ended: Ended
    wrong: str = ""


@dataclass(frozen=True)
class Batch:
    """Cases that are done one after the other.

    Args:
        name: tells it from all others of the same attack, also in a later call.
        cases: does them.
    """

    name: str
    cases: Callable[[], Iterator[Case]]


Work = Callable[[random.Random], Any]
"""One case, done in a process that it may spoil: returns why it is wrong, or empty, and may raise what it was told."""


def seeded(name: str, seed: int, work: Work, number: int) -> Batch:
    """Return a batch of cases that differ in their seed alone.

    Args:
        name: of the batch; with the seed it decides every draw.
        seed: of the whole attack.
        work: one case.
        number: how many.
    """

    def cases() -> Iterator[Case]:
        chances = [random.Random(f"{seed} {name} {index}") for index in range(number)]
        works = [lambda chance=chance: work(chance) for chance in chances]
        for index, ended in enumerate(each_in_child(works)):
            wrong = ended.detail if ended.how == "ok" else "" if ended.how == "refused" else f"{ended.how} {ended.detail}"
            yield Case(f"{name}, {index}", ended, wrong)

    return Batch(name, cases)
