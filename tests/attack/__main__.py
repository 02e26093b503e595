"""Attack runs and say what did not hold.

python -m tests.attack                     everything: hours on one core
python -m tests.attack --quick             a sample of each attack, under 2 minutes
python -m tests.attack --log attack.jsonl  keep what is done there; the same command goes on where it was stopped
python -m tests.attack --shard 2/4         the second quarter
python -m tests.attack --only readers      attacks whose name has this word
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

from .ground import Ground
from .harness.batch import Attack
from .harness.quick import sample
from .harness.tally import Tally, run_batch, said
from .table import attacks

QUICK_SECONDS = 42.0
"""How long each of the two processes of `--quick` attacks, behind a set-up of about 8 s of processor time."""


def main() -> int:
    """Attack, print counts, and return 1 where something did not hold."""
    args = _arguments()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of the checkpoints that are taken away
    in_memory = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None  # a sync costs nothing there
    with tempfile.TemporaryDirectory(prefix="attack-", dir=args.folder or in_memory) as folder:
        ground = Ground(Path(folder))
        seed = args.seed if args.seed is not None else _seed_of_commit() if args.quick else 0
        found = attacks(ground, seed=seed, **({"size": 1} if args.quick else {}))
        chosen = {name: attack for name, attack in found.items() if args.only in name}
        if args.quick:
            return sample(chosen, ground, args.seconds, seed)
        return everything(chosen, ground, args.log, seed, args.shard)


def everything(chosen: Mapping[str, Attack], ground: Ground, log: Path | None, seed: int, part: str) -> int:
    """Do every batch of each attack, or a part of them, and return 1 where something did not hold."""
    tally, began = Tally(log, seed), time.perf_counter()
    shard, shards = map(int, part.split("/"))
    try:
        for name, attack in chosen.items():
            for number, batch in enumerate(attack.batches()):
                if number % shards == shard - 1 and (name, batch.name) not in tally.done:
                    tally.add(name, batch.name, run_batch(batch))
                ground.clear()
            print(f"{name}: {said(tally.of(name))}; {time.perf_counter() - began:.0f} s", flush=True)
    except KeyboardInterrupt:
        again = "the same command goes on" if log else "with --log FILE the same command would go on"
        print(f"Stopped; {again}.", *(f"{name}: {said(tally.of(name))}" for name in chosen), sep="\n")
        return 130
    return int(any(tally.of(name)["WRONG"] for name in chosen))


def _seed_of_commit() -> int:
    """Return a seed that is the same for a commit, and another one for the next; 0 where there is no repository."""
    try:
        named = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
        )
    except (OSError, subprocess.CalledProcessError):
        return 0
    return int(named.stdout[:8], 16)


def _arguments() -> argparse.Namespace:
    described = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__, formatter_class=described)
    parser.add_argument("--quick", action="store_true", help="A sample of each attack.")
    parser.add_argument(
        "--seconds", type=float, default=QUICK_SECONDS, help="How long --quick attacks; the set-up comes on top."
    )
    parser.add_argument(
        "--seed", type=int, help="Decides the sample and the damage: 0, with --quick the commit's, unless given."
    )
    parser.add_argument("--only", default="", metavar="WORD", help="Attacks whose name has this word.")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="One part of N; not with --quick.")
    parser.add_argument("--log", type=Path, help="A file of what is done; it is gone on behind it. Not with --quick.")
    parser.add_argument("--folder", type=Path, help="Where to work; in memory unless given.")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
