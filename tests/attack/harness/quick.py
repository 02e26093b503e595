"""A sample of every attack within a time: two processes share the attacks, and each attack stops at its share of the time."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..ground import Ground
from .batch import Attack, sampled
from .tally import Counts, Tally, run_batch, said

PROCESSES = 2

Part = Mapping[str, Attack]


def sample(attacks: Mapping[str, Attack], ground: Ground, seconds: float, seed: int) -> int:
    """Do a sample of each attack, print a table of what was done, and return 1 where something did not hold or was not done.

    Args:
        attacks: by their names.
        ground: what they attack; what a case leaves there is removed.
        seconds: how long they take altogether, in each process; the case that an attack is at is finished.
        seed: decides the sample and the damage.
    """
    log, began = ground.place() / "counts.jsonl", time.perf_counter()
    with _workers(_shared_out(attacks), ground, log, seconds, seed) as workers:
        for worker in workers:
            os.waitpid(worker, 0)
    tally = Tally(log, seed)
    found = {name: tally.of(name) for name in attacks}
    print(f"\n{'attack':<32}{'cases':>6}  how they ended")
    for name, counts in found.items():
        print(f"{name:<32}{counts.total() - counts['WRONG']:>6,}  {said(counts).partition(': ')[2] or 'NOTHING WAS DONE'}")
    cases = sum(counts.total() - counts["WRONG"] for counts in found.values())
    wrong = sum(counts["WRONG"] for counts in found.values())
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in usage)
    took = f"{time.perf_counter() - began:.0f} s behind the set-up, {cpu:.0f} s of processor time in all"
    print(f"{cases:,} cases, of which {wrong} did not hold; seed {seed}; {took}.", flush=True)
    return int(bool(wrong) or not all(found.values()))


@contextlib.contextmanager
def _workers(
    parts: Sequence[Mapping[str, Attack]], ground: Ground, log: Path, seconds: float, seed: int
) -> Iterator[list[int]]:
    """Start a process for each part, and end those that are left."""
    started = []
    sys.stdout.flush()
    try:
        for part in parts:
            started.append(os.fork())
            if started[-1] == 0:
                os.setpgid(0, 0)
                _do(part, ground, log, seconds, seed)
        yield started
    finally:
        for worker in started:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker, signal.SIGKILL)


def _do(attacks: Mapping[str, Attack], ground: Ground, log: Path, seconds: float, seed: int) -> None:
    """Do attacks one after the other, each until its share of the time is over and at least one case; leave the process."""
    ground.cases = ground.folder / f"worker-{os.getpid()}"
    ground.cases.mkdir()
    tally, shares, until = Tally(log, seed), sum(attack.share for attack in attacks.values()), time.perf_counter()
    for name, attack in attacks.items():
        until += seconds * attack.share / shares
        try:
            for batch in sampled(attack.batches(), random.Random(f"{seed} {name}")):
                tally.add(name, batch.name, run_batch(batch))
                ground.clear()
                if time.perf_counter() > until:
                    break
        except Exception:
            traceback.print_exc()
            tally.add(name, "it broke off", Counts(WRONG=1))
    sys.stdout.flush()
    os._exit(0)


def _shared_out(attacks: Mapping[str, Attack]) -> list[dict[str, Attack]]:
    """Give each process attacks of about the same shares in all."""
    parts: list[dict[str, Attack]] = [{} for _ in range(PROCESSES)]
    for name, attack in attacks.items():
        least = min(parts, key=lambda part: sum(each.share for each in part.values()))
        least[name] = attack
    return parts
