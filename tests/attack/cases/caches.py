"""What newer readers keep in the cache, and what they read of a run: kernels, speeds, suffix arrays, saved conversations."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from pentad import Catalogue
from pentad.system.machine import pick_machine
from pentad.train.computing import kept
from pentad.train.computing.kernels import Kernels
from pentad_studio.text.held_out import open_held_out
from pentad_studio.trace.index import open_index
from pentad_studio.trace.search import trace

from ..ground import Ground
from ..harness.batch import Batch, seeded
from ..harness.child import prepared
from .mutations import is_touched, mutate, named

Read = Callable[[], Any]

KEY = "0" * 24

PASSAGE = "7 cats sat on mat 10.\n\n8 cats sat"
"""Stands in the training text or not, as it was split; what is found is the same after any damage."""


def of_readers(ground: Ground, per_file: int, size: int, seed: int) -> Iterator[Batch]:
    """Damage each file that they keep; they make it anew, and find what they found before."""
    readers = _readers(ground)
    for name, (folder, read) in readers.items():
        prepared(read)
        expected = read()
        for file in sorted(path.name for path in (ground.cache / folder).rglob("*") if path.is_file()):
            work = partial(_damaged, ground, folder, file, read, expected)
            yield from seeded(f"{name} with {file}", seed, work, per_file, size)


def _damaged(ground: Ground, folder: str, file: str, read: Read, expected: Any, chance: random.Random) -> str:
    place = ground.place()
    cache = shutil.copytree(ground.cache, place / "cache")
    os.environ["PENTAD_CACHE"] = str(cache)
    try:
        kind = mutate(next((cache / folder).rglob(file)), chance)
        with named(kind):
            found = read()
        wrong = "it was written through a link" if is_touched(place) else ""
        return wrong or ("" if found == expected else f"{kind}: it finds {found}")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _readers(ground: Ground) -> dict[str, tuple[str, Read]]:
    catalogue, machine = Catalogue(), pick_machine("cpu", "fp32", 1)

    def noted() -> Any:
        """Read what is kept of the kernels, which decide speed alone, and make it anew where it is none."""
        if kept.noted(KEY, 1.0) is None:
            kept.note(KEY, Kernels(precision="fp32", products="highest"), machine, 1.0)

    return {
        "the kernels": ("kernels", noted),
        "the suffix array": ("suffix-arrays", lambda: trace(open_index(ground.complete, catalogue), PASSAGE, 8)),
        "the held-out text": ("held-out", lambda: open_held_out(ground.complete, catalogue).documents.text.tobytes()),
    }
