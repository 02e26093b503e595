"""Readers get anything: they return, or refuse with a code."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from pentad import Catalogue, EngineError
from pentad.config.recipe import Recipe, read_tables
from pentad.config.tables import DataOptions
from pentad.data.corpus import open_corpus
from pentad.registry.resolving import resolve
from pentad.runs.checkpoint import load_checkpoint
from pentad.runs.folder import RunDirectory
from pentad.runs.newest import newest_checkpoint
from pentad.runs.records import is_sealed, sealed_step
from pentad.system.files import SEAL, check_whole, facts_of_file, read_json
from pentad.system.json_lines import read_lines

from ..ground import STEPS, Ground
from ..harness.batch import Batch, seeded
from .comparisons import command
from .files import examples
from .mutations import BYTES

INPUTS = 25
"""In one case."""

Read = Callable[[Path], Any]


def of_runs(ground: Ground, inputs: int, size: int, seed: int) -> Iterator[Batch]:
    """Give each reader of a run's files inputs: noise, and what is right but for a few places."""
    for name, (file, read) in _OF_RUNS.items():

        def work(chance: random.Random, file: str = file, read: Read = read) -> str:
            run = ground.copy(ground.complete)
            return _fed(run / file, (run / file).read_bytes(), read, chance, run.parent)

        yield from seeded(f"{INPUTS} inputs for {name}", seed, work, inputs // INPUTS, size)


def of_text(ground: Ground, inputs: int, size: int, seed: int) -> Iterator[Batch]:
    """Give each reader of text damaged files of its format, and archives that are whole with damage within."""
    catalogue = Catalogue()
    for ending, example in examples(catalogue).items():

        def work(chance: random.Random, ending: str = ending, example: bytes = example) -> str:
            place = ground.place()
            key = "text" if ending.startswith((".csv", ".tsv")) else ""
            read = lambda path: _read_text(path, catalogue, DataOptions(text_key=key))  # noqa: E731
            return _fed(place / f"text{ending}", example, read, chance, place)

        yield from seeded(f"{INPUTS} inputs for {ending}", seed, work, inputs // INPUTS, size)


def _fed(path: Path, original: bytes, read: Read, chance: random.Random, place: Path) -> str:
    """Read many inputs, and return the first that is not taken and not refused either."""
    try:
        for _ in range(INPUTS):
            inside = zipfile.is_zipfile(BytesIO(original)) and chance.random() < 0.7
            data = _damaged_inside(original, chance) if inside else chance.choice(BYTES)(original, chance)
            path.write_bytes(data)
            try:
                read(path)
            except EngineError:
                continue
            except Exception as error:
                return f"{type(error).__name__}: {error} with {data[:500]!r}"
        return ""
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _damaged_inside(original: bytes, chance: random.Random) -> bytes:
    """Damage one file of an archive, and leave the archive whole."""
    changed = BytesIO()
    with zipfile.ZipFile(BytesIO(original)) as old, zipfile.ZipFile(changed, "w") as new:
        names = old.namelist()
        damaged = chance.choice(names)
        for name in names:
            content = old.read(name)
            new.writestr(name, chance.choice(BYTES)(content, chance) if name == damaged else content)
    return changed.getvalue()


def _read_text(path: Path, catalogue: Catalogue, options: DataOptions) -> None:
    for _ in open_corpus([str(path)], catalogue, options).pieces():
        pass


def _checkpoint(path: Path) -> None:
    """Seal the folder again, as an attacker can, and load it."""
    place = path.parent
    names = ("model.safetensors", "optimizer.safetensors", "state.json")
    (place / SEAL).write_text(json.dumps({name: facts_of_file(place / name) for name in names}))
    load_checkpoint(place.parent.parent, STEPS)


def _config(path: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        command("run", "--config", path, "--print-config")


def _recipe(path: Path) -> None:
    resolve(Recipe.from_dict(read_tables(path, "The recipe"), "x"), Catalogue())


_OF_RUNS: dict[str, tuple[str, Read]] = {
    "a checkpoint's state": (f"checkpoints/step-{STEPS}/state.json", _checkpoint),
    "a checkpoint's seal": (f"checkpoints/step-{STEPS}/{SEAL}", lambda path: check_whole(path.parent)),
    "engine.json": ("engine.json", lambda path: RunDirectory.open(path.parent).resolve(Catalogue())),
    "recipe.toml": ("recipe.toml", _recipe),
    "a recipe of --config": ("recipe.toml", _config),
    "metrics.jsonl": ("metrics.jsonl", read_lines),
    "result.json": ("result.json", lambda path: (sealed_step(path.parent), is_sealed(path.parent))),
    "latest.json": ("latest.json", lambda path: newest_checkpoint(path.parent)),
    "any JSON": ("engine.json", read_json),
}
