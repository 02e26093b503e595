"""Clocks: things that are to be compared run in turns, so that a busy machine is equally unfair to all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The median over the rounds of how many times faster the first was than the second, and the quartiles around it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of each round: by the clock, and of CPU over all threads."""

    walls: Sequence[float]
    cpus: Sequence[float]

    @property
    def wall(self) -> float:
        """Median seconds by the clock."""
        return statistics.median(self.walls)

    @property
    def cpu(self) -> float:
        """Median seconds of CPU."""
        return statistics.median(self.cpus)


def alternate(runs: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 1) -> dict[str, Times]:
    """Run each function once a round, in an order that turns round with every round.

    Args:
        runs: what to time, by name.
        rounds: how often.
        warm_up: rounds before the clock counts.
    """
    walls: dict[str, list[float]] = {name: [] for name in runs}
    cpus: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(-warm_up, rounds):
        for name in list(runs) if number % 2 else list(runs)[::-1]:
            wall, cpu = timed(runs[name])
            if number >= 0:
                walls[name].append(wall)
                cpus[name].append(cpu)
    return {name: Times(walls=walls[name], cpus=cpus[name]) for name in runs}


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of one call: by the clock, and of CPU."""
    wall, cpu = time.perf_counter(), _cpu()
    run()
    return time.perf_counter() - wall, max(_cpu() - cpu, 1e-9)


def _cpu() -> float:
    """Return the seconds of CPU that this process and the processes it waited for have used."""
    if resource is None:
        return time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def ratios(ours: Times, theirs: Times) -> tuple[Ratio, Ratio]:
    """Return how many times faster `ours` was, round by round: by the clock, and by CPU time."""
    return _ratio(ours.walls, theirs.walls), _ratio(ours.cpus, theirs.cpus)


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    each = [their / our for our, their in zip(ours, theirs, strict=True)]
    low, median, high = statistics.quantiles(each, n=4, method="inclusive") if len(each) > 1 else each * 3
    return Ratio(median=median, low=low, high=high)


@contextmanager
def cpu_clock() -> Iterator[None]:
    """Let `time.perf_counter` show the CPU time of this process, so that a budget of time counts nothing that others compute.

    What a C++ compiler takes for it counts. Only for one thread: the time of several adds up.
    """
    with mock.patch.object(time, "perf_counter", _cpu):
        yield
