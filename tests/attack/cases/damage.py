"""Every file of a run and of the cache is changed: all that reads it works as before, or refuses it with a code."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pentad import Catalogue, import_model, open_run, resume, run
from pentad.config.tables import StartOptions
from pentad.runs.folder import RunDirectory
from pentad.runs.initial import restore_initial
from pentad.runs.provenance import folder_fingerprint
from pentad.system.files import SEAL, facts_of_file
from pentad.system.opening import list_files

from ..ground import Ground
from ..harness.batch import Batch, seeded
from .mutations import is_touched, mutate, named

CHOICES = ("recipe.toml", "engine.json")
"""Files whose edits may well mean something else."""


@dataclass(frozen=True)
class Door:
    """A way into a run.

    Args:
        source: the folder that is copied and damaged.
        work: goes in, and returns why what came of it is wrong, given the damaged file's name.
        below: the part of the folder that is damaged.
    """

    source: Path
    work: Callable[[Path, str], str]
    below: str = ""


def batches(ground: Ground, per_file: int, size: int, seed: int) -> Iterator[Batch]:
    """Damage each file of each door's folder a number of times."""
    for name, door in _doors(ground).items():
        for file in list_files(door.source):
            if file.startswith(door.below):
                yield from seeded(f"{name} with {file}", seed, _case(ground, door, file), per_file, size)


def _case(ground: Ground, door: Door, file: str) -> Callable[[random.Random], str]:
    def work(chance: random.Random) -> str:
        path = ground.copy(door.source)
        try:
            kind = mutate(path / file, chance)
            sealed = chance.random() < 0.4 and _seal(path, path / file)
            with named(f"{kind}{', sealed' if sealed else ''}"):
                wrong = door.work(path, "" if sealed else file)
            return "it was written through a link" if is_touched(path.parent) else wrong and f"{kind}: {wrong}"
        finally:
            shutil.rmtree(path.parent, ignore_errors=True)

    return work


def _seal(run: Path, file: Path) -> bool:
    """Seal what was damaged again, as an attacker can; say whether there is a seal."""
    if not file.is_file():
        return False
    if file.parent == run / "tokenizer" and (run / "engine.json").is_file():
        facts = json.loads((run / "engine.json").read_text())
        facts["tokenizer_files"] = folder_fingerprint(file.parent)
        (run / "engine.json").write_text(json.dumps(facts))
        return True
    seal = file.parent / SEAL
    if file == seal or not seal.is_file():
        return False
    seal.write_text(json.dumps({name: facts_of_file(file.parent / name) for name in json.loads(seal.read_text())}))
    return True


def _doors(ground: Ground) -> dict[str, Door]:
    def generate(path: Path, file: str) -> str:
        text = open_run(path).generate("1 c", max_tokens=12)[0].text
        return f"it writes {text!r}" if file and file not in CHOICES and text not in ground.texts else ""

    def evaluate(path: Path, file: str) -> str:
        del file
        open_run(path).evaluate()
        return ""

    def go_on(path: Path, file: str) -> str:
        resume(path)
        return ground.difference(path) if file and not file.endswith((".jsonl", *CHOICES)) else ""

    def go_further(path: Path, file: str) -> str:
        del file
        resume(path, steps=10)
        return ""

    def tokenize(path: Path, file: str) -> str:
        del file
        tokenizer = RunDirectory.open(path).tokenizer(Catalogue())
        tokenizer.decode(tokenizer.encode("1 cats sat"))
        return ""

    def start_from(path: Path, file: str) -> str:
        del file
        recipe = ground.recipe.replace(start=StartOptions(run=str(path)), training={"steps": 1})
        run(recipe, out=path.parent / "new")
        return ""

    def initial(path: Path, file: str) -> str:
        del file
        restore_initial(path, open_run(path).model)
        return ""

    catalogue = Catalogue()

    def adapted(path: Path, file: str) -> str:
        del file
        open_run(path, catalogue=catalogue).generate("1 c", max_tokens=4)
        return ""

    def imported(path: Path, file: str) -> str:
        del file
        new = import_model(path, "gpt2-files", path.parent / "new", ground.recipe, catalogue=catalogue)
        open_run(new).generate("1 c", max_tokens=4)
        return ""

    return {
        "adapter": Door(ground.adapted(catalogue), adapted),
        "import": Door(ground.exported(catalogue), imported),
        "generate": Door(ground.complete, generate),
        "evaluate": Door(ground.complete, evaluate),
        "resume": Door(ground.half, go_on),
        "resume further": Door(ground.complete, go_further),
        "start from": Door(ground.complete, start_from),
        "initial weights": Door(ground.started, initial, "start/"),
        **{f"tokenize by {name}": Door(path, tokenize, "tokenizer/") for name, path in ground.tokenized().items()},
    }


def of_the_cache(ground: Ground, per_file: int, size: int, seed: int) -> Iterator[Batch]:
    """Damage files of the cache; a run makes anew what it needs."""
    for file in list_files(ground.cache):

        def work(chance: random.Random, file: str = file) -> str:
            place = ground.place()
            cache = shutil.copytree(ground.cache, place / "cache")
            os.environ["PENTAD_CACHE"] = str(cache)
            try:
                kind = mutate(cache / file, chance)
                with named(kind):
                    run(ground.recipe, out=place / "run")
                wrong = ground.difference(place / "run")
                return wrong and f"{kind}: {wrong}"
            finally:
                shutil.rmtree(place, ignore_errors=True)

        yield from seeded(f"the cache with {file}", seed, work, per_file, size)
