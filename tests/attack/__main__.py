"""Attack runs and say what did not hold.

python -m tests.attack            every kill point and every damage: some thousand cases, about half an hour
python -m tests.attack --quick    a sample of each, under 2 minutes
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch

from . import damage, readers, writes
from .ground import Case, Ground


def attacks(ground: Ground, *, quick: bool, chance: random.Random) -> dict[str, Iterator[Case]]:
    """Return every attack by its name."""
    stride, share = (37, 0.04) if quick else (1, 1.0)
    return {
        "kill -9 before a call": writes.kills(ground, stride),
        "a call that fails": writes.failures(ground, stride),
        "damage to a run": damage.of_runs(ground, share, chance),
        "damage to the cache": damage.of_the_cache(ground, share, chance),
        "readers": readers.anything(ground, 1 if quick else 50, chance),
    }


def main() -> int:
    """Attack, print counts, and return 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="A sample of each attack.")
    parser.add_argument("--seed", type=int, default=0, help="Decides the sample and the damage.")
    args = parser.parse_args()
    torch.set_num_threads(1)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        ground = Ground(Path(folder))
        for name, cases in attacks(ground, quick=args.quick, chance=random.Random(args.seed)).items():
            began, counts = time.perf_counter(), Counter[str]()
            for case in cases:
                counts[case.ended.how] += 1
                if case.wrong:
                    counts["WRONG"] += 1
                    print(f"  {case.what}: {case.wrong}", flush=True)
                for left in Path(folder).glob("case-*"):
                    shutil.rmtree(left, ignore_errors=True)
            wrong += counts["WRONG"]
            said = ", ".join(f"{number} {how}" for how, number in sorted(counts.items()))
            print(f"{name}: {counts.total() - counts['WRONG']} cases, {said}; {time.perf_counter() - began:.0f} s", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
