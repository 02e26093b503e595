"""Readers get anything: they return, or refuse with a code."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pentad import EngineError
from pentad.config.recipe import Recipe, read_tables
from pentad.runs.checkpoint import load_checkpoint
from pentad.runs.folder import RunDirectory
from pentad.runs.newest import newest_checkpoint
from pentad.runs.records import is_sealed, sealed_step
from pentad.system.files import SEAL, check_whole, facts_of_file, read_json
from pentad.system.json_lines import read_lines

from .child import in_child
from .ground import STEPS, Case, Ground

BATCH = 100
"""Inputs in one process."""


def anything(ground: Ground, batches: int, chance: random.Random) -> Iterator[Case]:
    """Give each reader batches of inputs: noise, and what is right but for a few places."""
    readers: dict[str, tuple[str, Callable[[Path], Any]]] = {
        "a checkpoint's state": (f"checkpoints/step-{STEPS}/state.json", _checkpoint),
        "a checkpoint's seal": (f"checkpoints/step-{STEPS}/{SEAL}", lambda path: check_whole(path.parent)),
        "engine.json": ("engine.json", lambda path: RunDirectory.open(path.parent).facts()),
        "recipe.toml": ("recipe.toml", lambda path: Recipe.from_dict(read_tables(path, "The recipe"), "x")),
        "metrics.jsonl": ("metrics.jsonl", read_lines),
        "result.json": ("result.json", lambda path: (sealed_step(path.parent), is_sealed(path.parent))),
        "latest.json": ("latest.json", lambda path: newest_checkpoint(path.parent)),
        "any JSON": ("engine.json", read_json),
    }
    for name, (file, read) in readers.items():
        for batch in range(batches):
            path = ground.copy(ground.complete) / file
            seed = chance.randrange(2**32)
            ended = in_child(lambda path=path, read=read, seed=seed: _feed(path, read, random.Random(seed)))
            yield Case(
                f"{BATCH} inputs for {name}, batch {batch}", ended, "" if ended.how == "ok" else ended.detail or ended.how
            )


def _feed(path: Path, read: Callable[[Path], Any], chance: random.Random) -> None:
    original = path.read_bytes()
    for _ in range(BATCH):
        data = chance.choice((_noise, _edited, _spliced, _odd_values))(original, chance)
        path.write_bytes(data)
        try:
            read(path)
        except EngineError:
            continue
        except Exception as error:
            raise AssertionError(f"{data[:2000]!r}") from error


def _noise(original: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(len(original) + 10))


def _edited(original: bytes, chance: random.Random) -> bytes:
    data = bytearray(original)
    for _ in range(chance.randrange(1, 5)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def _spliced(original: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(original) + 1) for _ in range(2))
    return original[:end] + original[start:] if chance.random() < 0.5 else original[:start] + original[end:]


ODD = (None, True, -1, 10**30, 1.5, "", "x" * 1000, [], {}, [[]], {"a": {}}, float("nan"), float("inf"), "\x00", "../../x")


def _odd_values(original: bytes, chance: random.Random) -> bytes:
    """Put an odd value in the place of one, somewhere in the JSON."""
    try:
        tree = json.loads(original)
    except ValueError:
        return _edited(original, chance)
    node: Any = {"": tree}
    root, key = node, ""
    while isinstance(node[key], (dict, list)) and node[key] and chance.random() < 0.8:
        node = node[key]
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
    node[key] = chance.choice(ODD)
    return json.dumps(root[""]).encode()


def _checkpoint(path: Path) -> None:
    """Seal the folder again, as an attacker can, and load it."""
    place = path.parent
    names = ("model.safetensors", "optimizer.safetensors", "state.json")
    (place / SEAL).write_text(json.dumps({name: facts_of_file(place / name) for name in names}))
    load_checkpoint(place.parent.parent, STEPS)
