"""Every attack, by its name."""

from __future__ import annotations

from functools import partial

from .cases import caches, comparisons, damage, memory, readers, sharing, studio, writes
from .ground import Ground
from .harness.batch import Attack

BATCH = 20
"""Cases that share a process, where all are done."""


def attacks(ground: Ground, *, seed: int, size: int = BATCH) -> dict[str, Attack]:
    """Return every attack.

    Args:
        ground: what is attacked.
        seed: decides the damage.
        size: cases in a batch; 1 where some are chosen.
    """
    found = {
        "kill -9 before a call": (partial(writes.kills, ground, size), 11),
        "a call that fails": (partial(writes.failures, ground, size), 11),
        "a file that cannot grow": (partial(writes.small_files, ground, size), 6),
        "the cache deleted at a call": (partial(writes.lost_cache, ground, size), 6),
        "damage to a run": (partial(damage.batches, ground, 100, size, seed), 11),
        "damage to the cache": (partial(damage.of_the_cache, ground, 200, size, seed), 6),
        "damage to what readers keep": (partial(caches.of_readers, ground, 200, size, seed), 4),
        "memory that ends": (partial(memory.limits, ground, size), 6),
        "damage to a comparison": (partial(comparisons.damage, ground, 60, size, seed), 11),
        "reading while it trains": (partial(sharing.readers, ground, 30), 4),
        "readers of runs": (partial(readers.of_runs, ground, 8_000, size, seed), 8),
        "readers of text": (partial(readers.of_text, ground, 5_000, size, seed), 6),
        "requests to the studio": (partial(studio.requests, ground, 200, size, seed), 6),
    }
    return {name: Attack(batches, share) for name, (batches, share) in found.items()}
