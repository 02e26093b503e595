"""Which of several ways to do the same is the fastest: timed in turns, those far behind are dropped after each round."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

BEHIND = 1.3
"""A way that takes so many times as long as the fastest is dropped after a round."""

CLEARLY = 0.97
"""A way must take at most this part of the usual one's time: a smaller difference is one of the moment."""

ROUNDS = 4
"""Rounds that count, at the most; one that warms up comes before them."""

QUICK = 0.1
"""Seconds below which the first round is always followed by one that counts: most of it may be the making of kernels."""

Entrant = TypeVar("Entrant", bound="Timed")


class Timed:
    """Something that is done again and again, and the least seconds that it took, by a clock of seconds since some moment.

    Args:
        clock: None for that of the process, `time.perf_counter` as it is when this is made.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self.seconds, self.clock = float("inf"), clock or time.perf_counter

    def do(self) -> None:
        """Do it, to its end."""
        raise NotImplementedError

    def time(self) -> None:
        """Do it once more."""
        began = self.clock()
        self.do()
        self.seconds = min(self.seconds, self.clock() - began)


def race(entrants: Sequence[Entrant], until: float) -> Iterator[tuple[Entrant, float]]:
    """Time all in turns, and yield those that are clearly faster than the first, the fastest first, and the first at the end.

    Each with how many times as fast as the first it was. The first round also warms up; where it is all that the time allows,
    what takes so long needs no warming up.

    Args:
        entrants: the usual way first, whose clock is looked at.
        until: when no further one is begun, by that clock.
    """
    usual, left, clock = entrants[0], list(entrants), entrants[0].clock
    began = clock()
    for number in range(1 + ROUNDS):
        for each in left:
            if each.seconds == float("inf") or clock() < until:
                try:
                    each.time()
                except RuntimeError:  # it takes memory that is not there, say; the usual way does not
                    if each is usual:
                        raise
                    each.seconds = float("inf")
            if clock() > until and each is not usual:
                break
        left = [each for each in left if each.seconds < float("inf")]
        if number:  # the first call of a way makes its kernels, which says nothing of how fast they are
            least = min(each.seconds for each in left)
            left = [each for each in left if each is usual or each.seconds <= BEHIND * least]
        elif (took := clock() - began) < QUICK:
            until = max(until, clock() + took)
        if len(left) == 1 or clock() > until:
            break
    for each in sorted(entrants, key=lambda each: each.seconds):  # one that was dropped may be next, where the first is wrong
        if each.seconds <= CLEARLY * usual.seconds:
            yield each, usual.seconds / each.seconds
    yield usual, 1.0
