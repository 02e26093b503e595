"""Which kernels were the fastest for a model and batch on a machine, kept in the cache."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import statistics
from collections.abc import Sequence
from pathlib import Path

import torch

from pentad.config.kernels import Wish
from pentad.system.cache import cache_directory
from pentad.system.errors import EngineError
from pentad.system.files import read_json, write_atomically
from pentad.system.machine import Machine, machine_name
from pentad.train.computing.kernels import Kernels

LOOKS = 3
"""Trainings that measure the same before what most of them found is taken. One alone may have measured while something else had
the machine, and would slow down all that come after it."""


def key_of(machine: Machine, wish: Wish, model: object, *shape: object) -> str:
    """Return the name under which the cache keeps what was found for this machine, model and batch."""
    facts = [torch.__version__, machine_name(machine), machine.threads, dataclasses.asdict(wish), model, *shape]
    return hashlib.sha256(json.dumps(facts, default=str, sort_keys=True).encode()).hexdigest()[:24]


def noted(key: str, seconds: float) -> Kernels | None:
    """Return what was found most often, or None where fewer than `LOOKS` trainings looked for it.

    Those that had less than half of these seconds do not count. What is damaged is measured again.
    """
    found = _found(key, seconds)
    return _most_often(found) if len(found) >= LOOKS else None


def note(key: str, kernels: Kernels, machine: Machine, seconds: float) -> Kernels:
    """Keep what was found on this machine in so long, and return what was found most often by now.

    Where the cache cannot be written it is found out again next time.
    """
    entry = {"seconds": seconds, **kernels.as_json()}
    with contextlib.suppress(EngineError, OSError):
        place = _place(key)
        before = [{"seconds": each, **kept.as_json()} for each, kept in _entries(place)]
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps({"machine": machine_name(machine), "found": [*before, entry][-LOOKS:]}) + "\n")
        return _most_often(_found(key, seconds) or [kernels])
    return kernels


def remembered(machine: Machine) -> list[Kernels]:
    """Return what the cache keeps of this machine, the newest first."""
    found: list[tuple[float, Kernels]] = []
    for place in (cache_directory() / "kernels").glob("*.json"):
        with contextlib.suppress(EngineError, OSError, KeyError, TypeError, ValueError, AttributeError):
            if read_json(place)["machine"] == machine_name(machine):
                found.append((place.stat().st_mtime, _most_often([kernels for _, kernels in _entries(place)])))
    return [kernels for _, kernels in sorted(found, key=lambda each: -each[0])]


def _place(key: str) -> Path:
    return cache_directory() / "kernels" / f"{key}.json"


def _found(key: str, seconds: float) -> list[Kernels]:
    with contextlib.suppress(EngineError):
        return [kernels for took, kernels in _entries(_place(key)) if 2 * took >= seconds]
    return []


def _entries(place: Path) -> list[tuple[float, Kernels]]:
    """Return what was found, the newest last, and in how many seconds; nothing where that is absent or damaged."""
    with contextlib.suppress(EngineError, OSError, KeyError, TypeError, ValueError, AttributeError):
        kept = read_json(place)["found"] if place.is_file() else []
        return [(float(each["seconds"]), Kernels.of_json(each)) for each in kept]
    return []


def _most_often(found: Sequence[Kernels]) -> Kernels:
    """Return what is there most often, of several the newest, with the median of its speeds."""
    alike: dict[str, list[Kernels]] = {}
    for each in reversed(found):
        alike.setdefault(json.dumps(dataclasses.replace(each, speed=1.0).as_json(), sort_keys=True), []).append(each)
    most = max(alike.values(), key=len)
    return dataclasses.replace(most[0], speed=statistics.median(each.speed for each in most))
