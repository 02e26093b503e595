"""The tasks of a comparison, each carried out in a process of its own: plan an arm, train a run, write texts.

A task that is begun again in the same folder goes on from what lies there.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pentad
from pentad import Catalogue, Choice, EngineError, Plan, Recipe, RunObserver
from pentad.tools import (
    RunDirectory,
    RunDone,
    make_builder,
    open_split,
    peak_memory,
    prepare_process,
    prepare_tokenizer,
    read_json,
    read_lines,
    resolve,
    write_atomically,
)
from pentad_compare.records import Text

OUTCOME, TEXTS, FIGURES = "outcome.json", "texts.json", "figures.json"

ASKED = ("samplers", "prompts", "text_bytes")
"""What decides the texts of a trained model."""


def open_argument(argument: Mapping[str, Any]) -> tuple[Recipe, Catalogue]:
    """Return the recipe of a task and what is installed, after moving to where the comparison was started."""
    os.chdir(argument["cwd"])
    prepare_process()
    return Recipe.from_dict(argument["recipe"]), Catalogue(plugin_files=argument["plugins"])


def write_json(path: Path, value: Any) -> None:
    """Write a result, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(value, indent=1) + "\n")


def plan(argument: Mapping[str, Any], folder: Path) -> None:
    """Find out what a run costs, and leave its tokenizer and token shards in the cache: plan.json."""
    recipe, catalogue = open_argument(argument)
    write_json(folder / "plan.json", _facts(pentad.plan(recipe, catalogue=catalogue)))


def _facts(event: Plan) -> dict[str, Any]:
    left_out = ("folder", "recipe")
    return {field.name: getattr(event, field.name) for field in dataclasses.fields(event) if field.name not in left_out}


class _Noted(RunObserver):
    """Keeps the plan of a run."""

    plan: Plan | None = None

    def on_start(self, event: Plan) -> None:
        """Keep it."""
        self.plan = event


def train(argument: Mapping[str, Any], folder: Path) -> None:
    """Carry out one run, or what is left of it: run/ and outcome.json.

    Raises:
        EngineError: the text is no longer the one that the comparison began with, besides the errors of a run.
    """
    began = time.perf_counter()
    recipe, catalogue = open_argument(argument)
    run = folder / "run"
    noted = _Noted()
    earlier = _seconds_before(folder)
    try:
        if (run / "engine.json").is_file():
            pentad.resume(run, catalogue=catalogue, observers=[noted])
        else:
            shutil.rmtree(run, ignore_errors=True)  # killed before it was a run
            pentad.run(recipe, catalogue=catalogue, out=run, observers=[noted])
    except RunDone:
        if not is_scored(run):  # its last lines were lost
            shutil.rmtree(run)
            pentad.run(recipe, catalogue=catalogue, out=run, observers=[noted])
    finally:
        wall = earlier + time.perf_counter() - began
        write_json(folder / "clock.json", {"wall_seconds": wall, "peak_memory_bytes": peak_memory()})
    _refuse_another_text(run, argument["text"])
    facts = _facts(noted.plan) if noted.plan else _facts(pentad.plan(recipe, catalogue=catalogue))
    outcome = {"wall_seconds": wall, "peak_memory_bytes": peak_memory(), "plan": facts, **_meaning(run, catalogue)}
    write_json(folder / OUTCOME, outcome)


def is_scored(run: Path) -> bool:
    """Say whether a run's final score is there, as the run wrote it: a figure that was edited later is none."""
    if not RunDirectory(run).is_sealed():
        return False
    lines = read_lines(run / "metrics.jsonl")
    return any(line.get("kind") == "evaluation" and line.get("final") for line in lines)


def _refuse_another_text(run: Path, fingerprint: str) -> None:
    if RunDirectory.open(run).fact(str, "data", "fingerprint") != fingerprint:
        shutil.rmtree(run)  # it must not be found when the text is put back
        raise EngineError(
            "The text must stay as it was when the comparison began; it has changed.",
            "Leave it alone, and call the command again.",
            code="text-changed",
        )


def _meaning(run: Path, catalogue: Catalogue) -> dict[str, bool]:
    """Say what the run's score stands for: whether there is one, and whether it is of the text itself."""
    directory = RunDirectory.open(run)
    resolved = directory.resolve(catalogue)
    tokenizer = directory.tokenizer(catalogue)
    builder = make_builder(resolved, tokenizer, catalogue)
    return {"causal": builder.attention == "causal", "lossless": tokenizer.lossless}


def _seconds_before(folder: Path) -> float:
    """Return the wall time of earlier attempts that could still say it."""
    clock = folder / "clock.json"
    return float(read_json(clock).get("wall_seconds", 0.0)) if clock.is_file() else 0.0


def write(argument: Mapping[str, Any], folder: Path) -> None:
    """Let a trained model go on from held-out prompts, and measure what it writes: texts.json."""
    _, catalogue = open_argument(argument)
    from pentad import open_run
    from pentad_compare.texts import figures, prompts_from, surprise, write_texts
    from pentad_compare.verbatim import Memory

    run = open_run(folder / "run", catalogue=catalogue)
    split = open_split(run.resolved, catalogue, RunObserver())
    n_bytes = argument["text_bytes"]
    human = prompts_from(split.held_out, argument["prompts"], text_bytes=n_bytes, tails=split.rule == "tails")
    memory, reason = Memory.of(split.train.pieces())

    def measured(texts: Sequence[Text]) -> dict[str, Any]:
        found = figures([each.text for each in texts], surprises=surprise(run, texts), memory=memory, n_bytes=n_bytes)
        return {"figures": dataclasses.asdict(found), "texts": [dataclasses.asdict(each) for each in texts]}

    choices = [Choice(each["name"], **each["options"]) for each in argument["samplers"]]
    prompts = [each.prompt for each in human]
    # A token is a byte at the least, so the limit in tokens is never reached before the limit in bytes.
    written = write_texts(run, choices, prompts, max_tokens=n_bytes, seed=argument["seed"], n_bytes=n_bytes)
    samplers = {each["label"]: measured(texts) for each, texts in zip(argument["samplers"], written, strict=True)}
    asked = {key: argument[key] for key in ASKED}
    write_json(folder / TEXTS, {"asked": asked, "samplers": samplers, "human": measured(human), "note": reason})


def tokenize(argument: Mapping[str, Any], folder: Path) -> None:
    """Train a tokenizer and measure it on held-out text: figures.json."""
    recipe, catalogue = open_argument(argument)
    from pentad_compare.tokenizers import measure

    tokenizer, _, _, split = prepare_tokenizer(resolve(recipe, catalogue), catalogue)
    found = measure(argument["label"], recipe.to_dict()["tokenizer"], tokenizer, split.held_out.pieces())
    write_json(folder / FIGURES, dataclasses.asdict(found))
