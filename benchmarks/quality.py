"""Bits per byte of Shakespeare that the engine's own choices reach in a part of the time that a textbook recipe takes.

The textbook is nanoGPT's recipe for a CPU (examples/recipes/nanogpt-cpu.toml: GPT-2's architecture at 4x128, AdamW, 2,000 steps
of 12 rows of 64 characters). Its training time is the unit: the engine gets a thirtieth, a tenth, the whole and ten times
of it, and sizes itself for each. All run in this process, one after the other, on the same text with the same held-out bytes.
With `--threads 1` time is CPU time, so that it may be done on a busy machine.
"""

from __future__ import annotations

import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, Settings
from benchmarks.timing import cpu_clock
from pentad import Recipe, RunResult, run

TEXTBOOK = Path(__file__).parents[1] / "examples" / "recipes" / "nanogpt-cpu.toml"

SHARES = {"a thirtieth of": 1 / 30, "a tenth of": 1 / 10, "all of": 1.0, "ten times": 10.0}
"""Of the textbook's training time."""


def rows(settings: Settings) -> Iterator[Row]:
    """Train the textbook's recipe, then the engine's own in parts of its time."""
    clock = cpu_clock() if settings.threads == 1 else nullcontext()
    with tempfile.TemporaryDirectory() as folder, clock:
        result, wall, cpu = _trained(_textbook(settings), Path(folder, "textbook"))
        assert result.bits_per_byte is not None
        seconds, mark = result.seconds, result.bits_per_byte
        yield _row(f"textbook recipe, {result.step:,} steps, {seconds:.0f} s of training", mark, wall, cpu, "")
        scores: dict[float, float] = {}
        for words, share in {"all of": 1.0}.items() if settings.quick else SHARES.items():
            recipe = _own(settings, max(1.0, seconds * share))
            result, wall, cpu = _trained(recipe, Path(folder, words))
            assert result.bits_per_byte is not None
            scores[share] = result.bits_per_byte
            verdict = "better" if result.bits_per_byte < mark else "not better"
            name = f"the engine's choices, {words} its time"
            yield _row(name, result.bits_per_byte, wall, cpu, f"{verdict} than the textbook, {result.step:,} steps")
        yield times_as_fast(scores, mark)


def times_as_fast(scores: Mapping[float, float], mark: float) -> Row:
    """Return how many times less time the engine takes to the textbook's score, read off between its trainings.

    Each is a training of its own, sized for its time; between two of them the score is taken to fall evenly with the logarithm
    of time.
    """
    name, unit = "the textbook's time over the engine's to the same score", "times"
    better = next((share for share, score in sorted(scores.items()) if score <= mark), None)
    if better is None:
        return Row(bench="quality", name=name, value=None, unit=unit, note="no training of the engine's came so far")
    shorter = max((share for share in scores if share < better), default=None)
    if shorter is None:
        return Row(bench="quality", name=name, value=1 / better, unit=unit, note="at least: its shortest training is better")
    part = (scores[shorter] - mark) / (scores[shorter] - scores[better])
    return Row(bench="quality", name=name, value=1 / (shorter ** (1 - part) * better**part), unit=unit)


def _row(name: str, score: float, wall: float, cpu: float, note: str) -> Row:
    return Row(bench="quality", name=name, value=score, unit="bits/byte", wall=wall, cpu=cpu, note=note)


def _trained(recipe: Recipe, folder: Path) -> tuple[RunResult, float, float]:
    wall, cpu = time.time(), time.process_time()
    result = run(recipe, out=folder, observers=[])
    return result, time.time() - wall, time.process_time() - cpu


def _textbook(settings: Settings) -> Recipe:
    tables: dict[str, Any] = tomllib.loads(TEXTBOOK.read_text(encoding="utf-8"))
    tables["tokenizer"] = {"name": "char"}
    tables["training"]["steps"] = 20 if settings.quick else tables["training"]["steps"]
    return Recipe.from_dict({**tables, **_rest(settings)}, str(TEXTBOOK))


def _own(settings: Settings, seconds: float) -> Recipe:
    return Recipe(training={"budget": f"{seconds:.1f}s"}, **_rest(settings))


def _rest(settings: Settings) -> dict[str, Any]:
    return {
        "data": {"sources": ["shakespeare"]},
        "machine": {"device": "cpu", "threads": settings.threads},
        "evaluation": {"evaluate_every": 0.0},
        "generation": {"sample_every": 0.0, "max_tokens": 1},
    }
