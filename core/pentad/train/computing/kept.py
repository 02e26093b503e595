"""Which kernels were the fastest for a model and batch on a machine, kept in the cache."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json

import torch

from pentad.config.kernels import Wish
from pentad.system.cache import cache_directory
from pentad.system.errors import EngineError
from pentad.system.files import read_json, write_atomically
from pentad.system.machine import Machine, machine_name
from pentad.train.computing.kernels import Kernels


def key_of(machine: Machine, wish: Wish, model: object, *shape: object) -> str:
    """Return the name under which the cache keeps what was found for this machine, model and batch."""
    facts = [torch.__version__, machine_name(machine), machine.threads, dataclasses.asdict(wish), model, *shape]
    return hashlib.sha256(json.dumps(facts, default=str, sort_keys=True).encode()).hexdigest()[:24]


def noted(key: str, seconds: float) -> Kernels | None:
    """Return what the cache keeps, or None where it has nothing, or what was found in less than half of these seconds.

    What is damaged is measured again.
    """
    with contextlib.suppress(EngineError, OSError, KeyError, TypeError, ValueError, AttributeError):
        place = cache_directory() / "kernels" / f"{key}.json"
        kept = read_json(place) if place.is_file() else None
        return Kernels.of_json(kept) if kept and 2 * float(kept["seconds"]) >= seconds else None
    return None


def note(key: str, kernels: Kernels, machine: Machine, seconds: float) -> None:
    """Keep what was found on this machine in so long; where the cache cannot be written it is found out again next time."""
    with contextlib.suppress(EngineError, OSError):
        place = cache_directory() / "kernels" / f"{key}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps({"machine": machine_name(machine), "seconds": seconds, **kernels.as_json()}) + "\n")


def remembered(machine: Machine) -> list[Kernels]:
    """Return what the cache keeps of this machine, the newest first."""
    found: list[tuple[float, Kernels]] = []
    for place in (cache_directory() / "kernels").glob("*.json"):
        with contextlib.suppress(EngineError, OSError, KeyError, TypeError, ValueError, AttributeError):
            kept = read_json(place)
            if kept["machine"] == machine_name(machine):
                found.append((place.stat().st_mtime, Kernels.of_json(kept)))
    return [kernels for _, kernels in sorted(found, key=lambda each: -each[0])]
