"""Cases in batches: each batch has a name by which it is found again, and a process of its own."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
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
        kind: what they have in common with those of other batches; a sample has some of each kind.
    """

    name: str
    cases: Callable[[], Iterator[Case]]
    kind: str = ""


@dataclass(frozen=True)
class Attack:
    """One way of attacking.

    Args:
        batches: finds all that it consists of.
        share: of the time that a sample of all attacks takes.
    """

    batches: Callable[[], Iterator[Batch]]
    share: int


Work = Callable[[random.Random], Any]
"""One case, done in a process that it may spoil: returns why it is wrong, or empty, and may raise what it was told."""


def seeded(name: str, seed: int, work: Work, number: int, size: int) -> Iterator[Batch]:
    """Yield batches of cases that differ in their seed alone.

    Args:
        name: of all; with the seed it decides every draw.
        seed: of the whole attack.
        work: one case.
        number: how many.
        size: how many are one batch.
    """
    for indices in in_slices(range(number), size):
        yield Batch(f"{name}, {indices[0]} to {indices[-1]}", lambda own=indices: _cases(name, seed, work, own), name)


def _cases(name: str, seed: int, work: Work, indices: Sequence[int]) -> Iterator[Case]:
    chances = [random.Random(f"{seed} {name} {index}") for index in indices]
    works = [lambda chance=chance: work(chance) for chance in chances]
    for index, ended in zip(indices, each_in_child(works), strict=True):
        wrong = ended.detail if ended.how == "ok" else "" if ended.how == "refused" else f"{ended.how} {ended.detail}"
        yield Case(f"{name}, {index}", ended, wrong)


def in_slices(numbers: range, size: int) -> Iterator[range]:
    """Cut numbers into pieces of at most a size."""
    for first in range(0, len(numbers), size):
        yield numbers[first : first + size]


def sampled(batches: Iterable[Batch], chance: random.Random) -> Iterator[Batch]:
    """Yield batches in a random order: one of each kind, then a second one of each."""
    kinds = defaultdict(list)
    for batch in batches:
        kinds[batch.kind].append(batch)
    for own in kinds.values():
        chance.shuffle(own)
    order = chance.sample(sorted(kinds), len(kinds))
    for row in itertools.zip_longest(*(kinds[kind] for kind in order)):
        yield from filter(None, row)
