"""The tasks of a comparison, each run in a process of its own: plan an arm, train a run, write texts, measure a tokenizer.

A task that is started again in the same folder resumes from what it finds there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pentad
from pentad import Catalogue, Choice, EngineError, Plan, Recipe, RunObserver
from pentad.tools import (
    RunDirectory,
    RunDone,
    discard,
    given,
    make_builder,
    open_split,
    peak_memory,
    prepare_process,
    prepare_tokenizer,
    read_lines,
    resolve,
)
from pentad_compare.measures.figures import Text
from pentad_compare.results import CLOCK, FIGURES, OUTCOME, PLAN, TEXTS, read_result, records_of, write_result

DECIDES_TEXTS = ("samplers", "prompts", "text_bytes")
"""The values of a task that decide the texts of a trained model."""


def open_argument(argument: Mapping[str, Any]) -> tuple[Recipe, Catalogue]:
    """Return the recipe of a task and what is installed, after changing to the folder that the comparison was started in."""
    os.chdir(argument["cwd"])
    prepare_process()
    return Recipe.from_dict(argument["recipe"]), Catalogue(plugin_files=argument["plugins"])


def plan(argument: Mapping[str, Any], folder: Path) -> None:
    """Estimate the cost of a run, and leave its tokenizer and token shards in the cache: plan.json."""
    recipe, catalogue = open_argument(argument)
    write_result(folder / PLAN, _plan_values(pentad.plan(recipe, catalogue=catalogue)), argument["place"])


def _plan_values(event: Plan) -> dict[str, Any]:
    left_out = ("folder", "recipe", "start")
    values = {field.name: getattr(event, field.name) for field in dataclasses.fields(event) if field.name not in left_out}
    start = None if event.start is None else {"folder": str(event.start.folder), "step": event.start.step}
    return {**values, "start": start, "recipe": event.recipe.to_dict()}


class _PlanKeeper(RunObserver):
    """Keeps the plan of a run."""

    plan: Plan | None = None

    def on_start(self, event: Plan) -> None:
        """Keep it."""
        self.plan = event


def train(argument: Mapping[str, Any], folder: Path) -> None:
    """Train one run, or the rest of it: run/ and outcome.json.

    Raises:
        EngineError: the text has changed since the comparison began, besides the errors of a run.
    """
    began = time.perf_counter()
    recipe, catalogue = open_argument(argument)
    run = folder / "run"
    keeper = _PlanKeeper()
    earlier = _earlier_seconds(folder)
    try:
        if _can_go_on(run, recipe, argument["text"], catalogue):
            with contextlib.suppress(RunDone):
                pentad.resume(run, catalogue=catalogue, observers=[keeper])
        else:
            discard(run)
            pentad.run(recipe, catalogue=catalogue, out=run, observers=[keeper])
    finally:
        wall = earlier + time.perf_counter() - began
        write_result(folder / CLOCK, {"wall_seconds": wall, "peak_memory_bytes": peak_memory()}, argument["place"])
    _refuse_another_text(run, argument["text"])
    plan = _plan_values(keeper.plan or pentad.plan(recipe, catalogue=catalogue))
    outcome = {"wall_seconds": wall, "peak_memory_bytes": peak_memory(), "plan": plan, **_properties(run, catalogue)}
    write_result(folder / OUTCOME, {**outcome, "records": records_of(run)}, argument["place"])


def _can_go_on(run: Path, recipe: Recipe, text: str, catalogue: Catalogue) -> bool:
    """Say whether there is a run of this recipe and text to resume.

    Not one that was killed before its first step, whose records are not its own, or that was put in the place of another.
    """
    if not (run / "engine.json").is_file() or not read_lines(run / "metrics.jsonl"):
        return False
    if (run / "result.json").is_file() and not RunDirectory(run).is_sealed():
        return False
    with contextlib.suppress(EngineError):
        found = RunDirectory.open(run)
        same_text = found.fact(str, "data", "fingerprint") == text
        return same_text and _is_by(found.recipe(), recipe, catalogue)
    return False


def _is_by(made: Recipe, recipe: Recipe, catalogue: Catalogue) -> bool:
    """Say whether a run has every choice of a recipe that decides its model."""
    start = None if recipe.start.run is None else os.path.abspath(recipe.start.run)
    if made.start.run != start or made.choices().keys() != recipe.choices().keys():
        return False
    has, wants = resolve(made, catalogue), resolve(recipe, catalogue)
    stages = [name for name in recipe.choices() if name != "sampler" and not (start and name == "tokenizer")]
    if any(has.offers[stage].full_name != wants.offers[stage].full_name for stage in stages):
        return False
    names = {stage: set(recipe.choices()[stage].options) for stage in stages} | {"training": set(given(recipe.training))}
    own, asked = has.recipe.to_dict(), wants.recipe.to_dict()
    return all(own[table].get(name) == asked[table].get(name) for table in names for name in names[table])


def is_complete(run: Path) -> bool:
    """Say whether a run is at its end as it wrote it itself: with a figure that was edited later it is not."""
    if not RunDirectory(run).is_sealed():
        return False
    kinds = {line.get("kind") for line in read_lines(run / "metrics.jsonl")}
    return {"step", "end"} <= kinds


def _refuse_another_text(run: Path, fingerprint: str) -> None:
    if RunDirectory.open(run).fact(str, "data", "fingerprint") != fingerprint:
        discard(run)  # else it would be used when the text is restored
        raise EngineError(
            "The text must stay the same during a comparison; it has changed since this one began.",
            "Leave it alone, and call the command again.",
            code="text-changed",
        )


def _properties(run: Path, catalogue: Catalogue) -> dict[str, bool]:
    """Return whether the run's model can write, and whether its score is of the text itself."""
    directory = RunDirectory.open(run)
    tokenizer = directory.tokenizer(catalogue)
    builder = make_builder(directory.resolve(catalogue), tokenizer, catalogue)
    return {"causal": builder.attention == "causal", "lossless": tokenizer.lossless}


def _earlier_seconds(folder: Path) -> float:
    """Return the wall time of earlier attempts, as far as they recorded it."""
    with contextlib.suppress(EngineError, TypeError, ValueError):  # one that is damaged is none
        return float((read_result(folder / CLOCK) or {}).get("wall_seconds", 0.0))
    return 0.0


def write(argument: Mapping[str, Any], folder: Path) -> None:
    """Let a trained model continue held-out prompts, and measure what it writes: texts.json."""
    _, catalogue = open_argument(argument)
    from pentad import open_run
    from pentad_compare.measures.texts import bits_per_byte_of, figures, prompts_from, write_texts
    from pentad_compare.measures.verbatim import SuffixArray

    run = open_run(folder / "run", catalogue=catalogue)
    split = open_split(run.resolved, catalogue, RunObserver())
    n_bytes = argument["text_bytes"]
    human = prompts_from(split.held_out, argument["prompts"], text_bytes=n_bytes, tails=split.rule == "tails")
    training, reason = SuffixArray.of(split.train.pieces())

    def measured(texts: Sequence[Text]) -> dict[str, Any]:
        scores = bits_per_byte_of(run, texts)
        result = figures([text.text for text in texts], scores=scores, training=training, n_bytes=n_bytes)
        return {"figures": dataclasses.asdict(result), "texts": [dataclasses.asdict(text) for text in texts]}

    samplers = argument["samplers"]
    choices = [Choice(sampler["name"], **sampler["options"]) for sampler in samplers]
    prompts = [text.prompt for text in human]
    # A token is a byte at least, so the limit in tokens is never reached before the limit in bytes.
    written = write_texts(run, choices, prompts, max_tokens=n_bytes, seed=argument["seed"], n_bytes=n_bytes)
    results = {sampler["label"]: measured(texts) for sampler, texts in zip(samplers, written, strict=True)}
    decided_by = {key: argument[key] for key in DECIDES_TEXTS}
    said = {"asked": decided_by, "samplers": results, "human": measured(human), "note": reason}
    write_result(folder / TEXTS, {**said, "records": records_of(folder / "run")}, argument["place"])


def tokenize(argument: Mapping[str, Any], folder: Path) -> None:
    """Train a tokenizer and measure it on held-out text: figures.json."""
    recipe, catalogue = open_argument(argument)
    from pentad_compare.measures.tokenizers import measure

    tokenizer, _, _, split = prepare_tokenizer(resolve(recipe, catalogue), catalogue)
    figures = measure(argument["label"], recipe.to_dict()["tokenizer"], tokenizer, split.held_out.pieces())
    write_result(folder / FIGURES, dataclasses.asdict(figures), argument["place"])
