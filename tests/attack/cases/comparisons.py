"""Every file of a comparison's folder is damaged: the same command makes anew what it needs, and comes to the same scores."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pentad import EngineError
from pentad.system.opening import list_files
from pentad_cli import main
from pentad_cli.errors import as_engine_error

from ..ground import Ground
from ..harness.batch import Batch, seeded
from ..harness.child import prepared
from .mutations import INSTEAD, is_touched, mutate, named

INLINE = Path(__file__).parents[2] / "inline_executor.py"

SIZES = {"model.n-layer": 1, "model.n-head": 2, "steps": 3, "batch-size": 4, "context-length": 16, "prompts": 1, "seeds": 2}


def command(*words: object) -> None:
    """Call `engine` in this process, and raise what it shows.

    Raises:
        EngineError: the command ended with it.
    """
    shown: list[BaseException] = []
    main.show = lambda error, **how: shown.append(error) or 1  # type: ignore[assignment]
    code = main.call(list(map(str, words)))
    for error in shown:
        raise as_engine_error(error) if isinstance(error, EngineError) else error
    assert code == 0, f"it left with {code}"


def compare(ground: Ground, out: Path) -> None:
    """Compare two widths of a model in a folder."""
    flags = [word for name, value in SIZES.items() for word in (f"--{name}", value)]
    command("compare", "--tokenizer", "byte", "--model", "gpt", "--model.n-embd", "4,8", "--device", "cpu", "--threads", 1,
            "--precision", "fp32", "--data", ground.folder / "text.txt", "--out", out, "--plugin", INLINE,
            "--executor", "inline", "--text-bytes", 8, "--name", "mine", *flags)  # fmt: skip


def damage(ground: Ground, per_file: int, size: int, seed: int) -> Iterator[Batch]:
    """Damage each file and each folder of a comparison a number of times, and compare again."""
    source = ground.folder / "comparisons"
    prepared(lambda: compare(ground, source))
    found = verdict_of(source)
    folders = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_dir())
    for name in (*list_files(source), *folders):

        def work(chance: random.Random, name: str = name) -> str:
            place = ground.place()
            out = shutil.copytree(source, place / "out")
            try:
                kind = _damage(out, out / name, chance)
                with named(kind):
                    compare(ground, out)
                wrong = "it was written through a link" if is_touched(place) else ""
                return wrong or ("" if verdict_of(out) == found else f"{kind}: it comes to something else")
            finally:
                shutil.rmtree(place, ignore_errors=True)

        yield from seeded(f"compare with {name}", seed, work, per_file, size)


def _damage(out: Path, path: Path, chance: random.Random) -> str:
    """Damage a file or a folder, or swap it with that of another arm or seed; return what was done."""
    others = [other for other in sorted(out.glob(_alike(path.relative_to(out)))) if other != path]
    if others and chance.random() < 0.3:
        other = chance.choice(others)
        aside = path.with_name("aside")
        path.rename(aside)
        other.rename(path)
        aside.rename(other)
        return f"swapped with {other.relative_to(out)}"
    if path.is_dir():
        path.rename(path.with_name(f"{path.name} before"))
        kind = chance.choice(sorted(INSTEAD))
        INSTEAD[kind](path)
        return kind
    if chance.random() < 0.4 and (figures := list(_FIGURE.finditer(path.read_bytes()))):
        figure, content = chance.choice(figures), path.read_bytes()
        path.write_bytes(content[: figure.start()] + b"%d" % chance.randrange(10) + content[figure.end() :])
        return f"a figure at {figure.start()} was edited"
    return mutate(path, chance)


_FIGURE = re.compile(rb"(?<=[ :\[])-?\d[\d.e+-]*|\btrue\b|\bfalse\b")
"""A figure, or a yes or no, in a file of JSON or TOML."""


def _alike(path: Path) -> str:
    """Return the pattern of what stands in the same place of another arm or seed."""
    arm = "*" if path.parts[0] == "runs" and len(path.parts) > 1 else ""
    parts = [
        arm if number == 1 and arm else "seed-*" if part.startswith("seed-") else part for number, part in enumerate(path.parts)
    ]
    return "/".join(parts)


def verdict_of(folder: Path) -> Any:
    """Return what a comparison came to: every score, every text and every verdict."""
    found = json.loads((folder / "mine" / "comparison.json").read_text())
    arms = [
        [
            arm[name]
            for name in ("label", "settings", "failure", "parameters", "vocab_size", "metric", "mean", "spread", "samplers")
        ]
        + [[seed[name] for name in ("seed", "score", "scores", "steps", "tokens", "failure")] for seed in arm["seeds"]]
        for arm in found["arms"]
    ]
    return arms, found["groups"], found["human_texts"], found["data"], found["seeds"], found["budget"]
