"""Counts of what was done, in words and in a file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from .batch import Batch

Counts = Counter[str]


def run_batch(batch: Batch) -> Counts:
    """Do the cases of a batch, and say of each that did not hold what it was."""
    counts = Counts()
    for case in batch.cases():
        counts[case.ended.how] += 1
        if case.wrong:
            counts["WRONG"] += 1
            print(f"  {batch.name}: {case.what}: {case.wrong}", flush=True)
    return counts


def said(counts: Counts) -> str:
    """Say counts in words."""
    how = ", ".join(f"{number:,} {word}" for word, number in sorted(counts.items()))
    return f"{counts.total() - counts['WRONG']:,} cases{': ' if how else ''}{how}"


class Tally:
    """Counts by attack and batch, kept in a file so that a later call goes on behind them.

    Args:
        log: the file, or None.
        seed: of the attack; with another one everything is done again.
    """

    def __init__(self, log: Path | None, seed: int) -> None:
        self.log, self.seed = log, seed
        self.done: dict[tuple[str, str], Counts] = {}
        for line in log.read_text().splitlines() if log and log.exists() else ():
            kept = json.loads(line)
            if kept["seed"] == seed:
                self.done[kept["attack"], kept["batch"]] = Counter(kept["counts"])

    def add(self, attack: str, batch: str, counts: Counts) -> None:
        """Count a batch."""
        self.done[attack, batch] = counts
        if self.log:
            with self.log.open("a") as file:
                file.write(json.dumps({"attack": attack, "batch": batch, "seed": self.seed, "counts": counts}) + "\n")

    def of(self, attack: str) -> Counts:
        """Return the counts of an attack."""
        return sum((counts for (name, _), counts in self.done.items() if name == attack), Counts())
