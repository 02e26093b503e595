"""With how many CPU threads a step is fastest: a small one is over before many threads have been woken.

All threads of the machine come first, then half as many, and so on, as long as each halving makes a step clearly faster. The
number changes how sums are rounded, so that a run records it and keeps it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

CLEARLY = 0.93
"""Half the threads must take at most this part of the time: a smaller difference is one of the moment."""

ROUNDS = 3
"""How often each of two numbers is timed in turns with the other; before that each has a step that does not count."""

LEAST_ROUNDS = 2
"""With fewer rounds than these within the time, the number stays."""


def fastest_threads(
    most: int,
    step: Callable[[], object],
    use: Callable[[int], object],
    *,
    seconds: float,
    seconds_per_step: float,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[int, float]:
    """Measure, and return the number of threads with how many times as fast a step is as with all; `use` has set it.

    Where a step takes so long that there is no time for it, it has work for all threads.

    Args:
        most: all threads.
        step: does a step.
        use: sets the number of threads.
        seconds: how long it may take; a step that is begun is ended.
        seconds_per_step: what a step takes about, with all threads.
        clock: says the seconds since some moment.
    """
    chosen, speed, until = most, 1.0, clock() + seconds

    def timed(threads: int) -> float:
        use(threads)
        began = clock()
        step()
        return clock() - began

    per_round = 3 * seconds_per_step  # with half the threads a step takes up to twice as long
    while chosen > 1 and clock() + (1 + LEAST_ROUNDS) * per_round <= until:
        pair, least = (chosen, chosen // 2), [float("inf"), float("inf")]
        for number in range(1 + ROUNDS):
            if number > LEAST_ROUNDS and clock() + per_round > until:
                break
            found = [timed(threads) for threads in pair]
            if number:  # a thread's first work also makes it
                least = [min(both) for both in zip(least, found, strict=True)]
        if least[1] > CLEARLY * least[0]:
            break
        chosen, speed, per_round = pair[1], speed * least[0] / max(least[1], 1e-9), 3 * least[1]
    use(chosen)
    return chosen, speed
