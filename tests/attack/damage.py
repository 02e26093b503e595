"""Every file of a run and of the cache is damaged in every way: it works as before, or it is refused with a code."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from pentad import open_run, resume, run

from .child import in_child
from .ground import Case, Ground

TARGET = "a stranger's target"

CHOICES = ("recipe.toml", "engine.json")
"""Files whose edits may well mean something else."""


def _flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes() or b"\0")
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def _truncate(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(max(1, path.stat().st_size)))


def _append(path: Path, chance: random.Random) -> None:
    with path.open("ab") as file:
        file.write(chance.randbytes(chance.randrange(1, 200)))


def _noise(path: Path, chance: random.Random) -> None:
    path.write_bytes(chance.randbytes(path.stat().st_size))


def _deep(path: Path, chance: random.Random) -> None:
    del chance
    path.write_bytes(b'{"a": ' * 50_000 + b"\n")


def _replaced(make: Callable[[Path], None]) -> Callable[[Path, random.Random], None]:
    def replace(path: Path, chance: random.Random) -> None:
        del chance
        path.unlink()
        make(path)

    return replace


DAMAGE: dict[str, Callable[[Path, random.Random], None]] = {
    "a flipped bit": _flip,
    "cut off": _truncate,
    "something behind it": _append,
    "noise": _noise,
    "nested deeply": _deep,
    "gone": lambda path, chance: path.unlink(),
    "a link": _replaced(lambda path: path.symlink_to(_target(path))),
    "a link to nothing": _replaced(lambda path: path.symlink_to("nowhere")),
    "a pipe": _replaced(os.mkfifo),
    "a folder": _replaced(lambda path: path.mkdir()),
}


def _target(path: Path) -> Path:
    """Make a file outside the run that nothing may touch."""
    case = next(parent for parent in path.parents if parent.name.startswith("case-"))
    target = case / "target"
    target.write_text(TARGET)
    return target


def of_runs(ground: Ground, share: float, chance: random.Random) -> Iterator[Case]:
    """Damage files of a complete and of a half run, and go through the doors that read them."""
    doors: dict[str, tuple[Path, Callable[[Path], object]]] = {
        "generate": (ground.complete, lambda path: open_run(path).generate("1 c", max_tokens=12)[0].text),
        "evaluate": (ground.complete, lambda path: open_run(path).evaluate().score),
        "resume": (ground.half, resume),
        "resume further": (ground.complete, lambda path: resume(path, steps=10)),
    }
    for door, (source, work) in doors.items():
        for name in _files(source):
            for kind, damage in DAMAGE.items():
                if chance.random() >= share:
                    continue
                path = ground.copy(source)
                damage(path / name, chance)
                ended = in_child(lambda path=path, work=work: work(path))
                wrong = "" if ended.how in ("ok", "refused") else f"{ended.how} {ended.detail}"
                if ended.how == "ok" and door == "generate" and name not in CHOICES and ended.detail not in ground.texts:
                    wrong = f"it writes something else: {ended.detail!r}"
                if ended.how == "ok" and door == "resume" and not name.endswith((".jsonl", *CHOICES)):
                    wrong = ground.finished(path)
                target = path.parent / "target"
                if target.exists() and target.read_text() != TARGET:
                    wrong = "a link was followed"
                yield Case(f"{door} with {name}: {kind}", ended, wrong)


def of_the_cache(ground: Ground, share: float, chance: random.Random) -> Iterator[Case]:
    """Damage files of the cache; a run makes anew what it needs."""
    for name in _files(ground.cache):
        for kind, damage in DAMAGE.items():
            if chance.random() >= share:
                continue
            place = ground.place()
            cache = shutil.copytree(ground.cache, place / "cache")
            damage(cache / name, chance)

            def work(cache: Path = cache, place: Path = place) -> object:
                os.environ["PENTAD_CACHE"] = str(cache)
                return run(ground.recipe, out=place / "run")

            ended = in_child(work)
            lock = name.endswith(".lock") and ended.how == "refused"  # a lock that is no file is for the user to look at
            wrong = "" if ended.how == "ok" or lock else f"{ended.how} {ended.detail}"
            yield Case(f"the cache with {name}: {kind}", ended, wrong or ("" if lock else ground.finished(place / "run")))


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
