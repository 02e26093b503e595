"""Every file of a comparison's folder is damaged: the same command makes anew what it needs, and comes to the same scores."""

from __future__ import annotations

import json
import random
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
from .mutations import is_touched, mutate

INLINE = Path(__file__).parents[2] / "inline_executor.py"

SIZES = {"model.n-layer": 1, "model.n-head": 2, "steps": 3, "batch-size": 4, "context-length": 16, "prompts": 1, "seeds": 1}


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
    """Damage each file of a comparison a number of times, and compare again."""
    source = ground.folder / "comparisons"
    prepared(lambda: compare(ground, source))
    scores = scores_of(source)
    for file in list_files(source):

        def work(chance: random.Random, file: str = file) -> str:
            place = ground.place()
            out = shutil.copytree(source, place / "out")
            try:
                kind = mutate(out / file, chance)
                compare(ground, out)
                wrong = "it was written through a link" if is_touched(place) else ""
                return wrong or ("" if scores_of(out) == scores else f"{kind}: the scores differ")
            finally:
                shutil.rmtree(place, ignore_errors=True)

        yield from seeded(f"compare with {file}", seed, work, per_file, size)


def scores_of(folder: Path) -> list[Any]:
    """Return every final score of a comparison."""
    found = json.loads((folder / "mine" / "comparison.json").read_text())
    return [(arm["label"], arm["mean"], [seed["score"] for seed in arm["seeds"]]) for arm in found["arms"]]
