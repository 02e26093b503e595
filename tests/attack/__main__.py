"""Attack runs and say what did not hold.

python -m tests.attack                     everything: hours on one core
python -m tests.attack --quick             a sample of each attack, under 2 minutes
python -m tests.attack --log attack.jsonl  keep what is done there; the same command goes on where it was stopped
python -m tests.attack --shard 2/4         the second quarter
python -m tests.attack --only readers      attacks whose name has this word
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch

from . import comparisons, damage, memory, readers, sharing, writes
from .batch import Batch
from .ground import Ground


def attacks(ground: Ground, *, quick: bool, seed: int) -> dict[str, Iterator[Batch]]:
    """Return every attack by its name."""
    return {
        "kill -9 before a call": writes.kills(ground, 149 if quick else 1),
        "a call that fails": writes.failures(ground, 149 if quick else 1),
        "a file that cannot grow": writes.small_files(ground, 150 if quick else 1),
        "the cache deleted at a call": writes.lost_cache(ground, 149 if quick else 1),
        "damage to a run": damage.batches(ground, 2 if quick else 100, seed),
        "damage to the cache": damage.of_the_cache(ground, 1 if quick else 200, seed),
        "damage to a comparison": comparisons.damage(ground, 1 if quick else 60, seed),
        "memory that ends": memory.limits(ground, 64 if quick else 1),
        "reading while it trains": sharing.readers(ground, 1 if quick else 30),
        "readers of runs": readers.of_runs(ground, 500 if quick else 8_000, seed),
        "readers of text": readers.of_text(ground, 100 if quick else 5_000, seed),
    }


class Tally:
    """Counts of what was done, kept in a file so that a later call goes on behind them.

    Args:
        log: the file, or None.
        seed: of the attack; with another one everything is done again.
    """

    def __init__(self, log: Path | None, seed: int) -> None:
        self.log, self.seed = log, seed
        self.done: dict[tuple[str, str], Counter[str]] = {}
        for line in log.read_text().splitlines() if log and log.exists() else ():
            kept = json.loads(line)
            if kept["seed"] == seed:
                self.done[kept["attack"], kept["batch"]] = Counter(kept["counts"])

    def add(self, attack: str, batch: str, counts: Counter[str]) -> None:
        """Count a batch."""
        self.done[attack, batch] = counts
        if self.log:
            with self.log.open("a") as file:
                file.write(json.dumps({"attack": attack, "batch": batch, "seed": self.seed, "counts": counts}) + "\n")

    def of(self, attack: str) -> Counter[str]:
        """Return the counts of an attack."""
        return sum((counts for (name, _), counts in self.done.items() if name == attack), Counter[str]())


def run_batch(batch: Batch) -> Counter[str]:
    """Do the cases of a batch, and say of each that did not hold what it was."""
    counts = Counter[str]()
    for case in batch.cases():
        counts[case.ended.how] += 1
        if case.wrong:
            counts["WRONG"] += 1
            print(f"  {batch.name}: {case.what}: {case.wrong}", flush=True)
    return counts


def said(counts: Counter[str]) -> str:
    """Say counts in words."""
    how = ", ".join(f"{number:,} {word}" for word, number in sorted(counts.items()))
    return f"{counts.total() - counts['WRONG']:,} cases{': ' if how else ''}{how}"


def main() -> int:
    """Attack, print counts, and return 1 where something did not hold."""
    args = _arguments()
    torch.set_num_threads(1)
    tally, began = Tally(args.log, args.seed), time.perf_counter()
    shard, shards = map(int, args.shard.split("/"))
    in_memory = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None  # a sync costs nothing there
    with tempfile.TemporaryDirectory(prefix="attack-", dir=args.folder or in_memory) as folder:
        ground = Ground(Path(folder))
        chosen = {name: each for name, each in attacks(ground, quick=args.quick, seed=args.seed).items() if args.only in name}
        try:
            for name, batches in chosen.items():
                for number, batch in enumerate(batches):
                    if number % shards == shard - 1 and (name, batch.name) not in tally.done:
                        tally.add(name, batch.name, run_batch(batch))
                    for left in Path(folder).glob("case-*"):
                        shutil.rmtree(left, ignore_errors=True)
                print(f"{name}: {said(tally.of(name))}; {time.perf_counter() - began:.0f} s", flush=True)
        except KeyboardInterrupt:
            again = "the same command goes on" if args.log else "with --log FILE the same command would go on"
            print(f"Stopped; {again}.", *(f"{name}: {said(tally.of(name))}" for name in chosen), sep="\n")
            return 130
    return int(any(tally.of(name)["WRONG"] for name in chosen))


def _arguments() -> argparse.Namespace:
    described = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__, formatter_class=described)
    parser.add_argument("--quick", action="store_true", help="A sample of each attack.")
    parser.add_argument("--seed", type=int, default=0, help="Decides the sample and the damage.")
    parser.add_argument("--only", default="", metavar="WORD", help="Attacks whose name has this word.")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="One part of N.")
    parser.add_argument("--log", type=Path, help="A file of what is done; it is gone on behind it.")
    parser.add_argument("--folder", type=Path, help="Where to work; in memory unless given.")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
