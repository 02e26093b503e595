"""From the folders of finished tasks to records."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pentad import EngineError
from pentad.tools import RunDirectory, read_json, read_lines
from pentad_compare import records
from pentad_compare.arms import Arm
from pentad_compare.records import ArmResult, Candidate, Point, SamplerFigures, SeedResult, TextFigures
from pentad_compare.study import Study
from pentad_compare.work import OUTCOME, TEXTS, is_scored

PLANNED = (
    "parameters", "vocab_size", "train_bytes", "train_tokens", "steps", "seconds_per_step", "flops_per_step", "memory_bytes",
    "tokens_per_step", "device", "precision", "threads",
)  # fmt: skip
"""What is read of a plan."""


def read_if_whole(path: Path, *keys: str) -> dict[str, Any] | None:
    """Return what a task left, or None where it left nothing that can be read or lacks a key."""
    with contextlib.suppress(EngineError, OSError):
        found = read_json(path) if path.is_file() else {}
        return found if found and all(key in found for key in keys) else None
    return None


def outcome_of(folder: Path) -> dict[str, Any] | None:
    """Return what a finished run said of itself, or None."""
    outcome = read_if_whole(folder / OUTCOME, "plan", "wall_seconds", "peak_memory_bytes", "causal", "lossless")
    return outcome if outcome and all(key in outcome["plan"] for key in PLANNED) else None


def is_trained(folder: Path) -> bool:
    """Say whether a run is there from its first step to its score."""
    outcome = outcome_of(folder)
    if outcome is None or not (folder / "run" / "engine.json").is_file():
        return False
    return is_scored(folder / "run") or not outcome["causal"]


def is_planned(folder: Path) -> bool:
    """Say whether a plan is there."""
    return read_if_whole(folder / "plan.json", *PLANNED) is not None


def plan_facts(study: Study, arm: Arm) -> dict[str, Any] | None:
    """Return what an arm's runs will cost, or None where it could not be found out."""
    return read_if_whole(study.arm_folder(arm) / "plan" / "plan.json", *PLANNED)


def seed_result(study: Study, arm: Arm, seed: int, failure: str, reused: bool) -> SeedResult:
    """Return what one run gave."""
    folder = study.seed_folder(arm, seed)
    place = (folder / "run").relative_to(study.folder).as_posix()
    outcome = outcome_of(folder)
    if outcome is None or failure:
        return SeedResult(seed=seed, folder=place, failure=failure or "it was not carried out")
    if not RunDirectory(folder / "run").is_sealed():
        return SeedResult(seed=seed, folder=place, failure="its records are not those that the run wrote")
    plan = outcome["plan"]
    lines = read_lines(folder / "run" / "metrics.jsonl")
    steps = [line for line in lines if line.get("kind") == "step"]
    scores = [line for line in lines if line.get("kind") == "evaluation"]
    final = next((line for line in scores if line.get("final")), {})
    if not math.isfinite(final.get("bits_per_byte") or 0.0):
        return SeedResult(seed=seed, folder=place, failure=f"its score is {final['bits_per_byte']}")
    bytes_per_token = plan["train_bytes"] / max(1, plan["train_tokens"])
    last: dict[str, Any] = steps[-1] if steps else {"step": 0, "tokens": 0, "timing": {"seconds": 0.0}}
    seconds = float(last["timing"]["seconds"])
    return SeedResult(
        seed=seed,
        folder=place,
        bits_per_byte=final.get("bits_per_byte"),
        loss=final.get("loss"),
        perplexity=final.get("perplexity"),
        steps=last["step"],
        tokens=last["tokens"],
        bytes=last["tokens"] * bytes_per_token,
        flops=last["step"] * plan["flops_per_step"],
        training_seconds=seconds,
        wall_seconds=outcome["wall_seconds"],
        tokens_per_second=last["tokens"] / max(seconds, 1e-9),
        bytes_per_second=last["tokens"] * bytes_per_token / max(seconds, 1e-9),
        peak_memory_bytes=outcome["peak_memory_bytes"],
        device=plan["device"],
        precision=plan["precision"],
        threads=plan["threads"],
        curve=[
            _point(line, bytes_per_token, plan["flops_per_step"])
            for line in scores
            if math.isfinite(line.get("bits_per_byte", math.nan))
        ],
        reused=reused,
    )


def _point(line: Mapping[str, Any], bytes_per_token: float, flops_per_step: float) -> Point:
    return Point(
        step=line["step"],
        tokens=line["tokens"],
        bytes=line["tokens"] * bytes_per_token,
        flops=line["step"] * flops_per_step,
        seconds=line["timing"]["training_seconds"],
        bits_per_byte=line["bits_per_byte"],
        final=bool(line.get("final")),
    )


def arm_result(study: Study, arm: Arm, seeds: Sequence[SeedResult], failure: str, candidates: Sequence[Candidate]) -> ArmResult:
    """Return what an arm gave, over its runs."""
    done = [each for each in seeds if not each.failure]
    failure = failure or (seeds[0].failure if seeds and not done else "")
    plan = _plan_of(study, arm, done)
    scores = [each.bits_per_byte for each in done if each.bits_per_byte is not None]
    return ArmResult(
        label=arm.label,
        settings=arm.settings,
        recipe={name: _without_none(table) for name, table in arm.recipe.to_dict().items()},
        reproduce=_reproduce(study, done[0]) if done else "",
        failure=failure,
        parameters=plan.get("parameters", {}),
        vocab_size=plan.get("vocab_size", 0),
        bytes_per_token=plan["train_bytes"] / max(1, plan["train_tokens"]) if plan else 0.0,
        flops_per_step=plan.get("flops_per_step", 0.0),
        mean=statistics.fmean(scores) if scores else None,
        spread=statistics.stdev(scores) if len(scores) > 1 else None,
        seeds=seeds,
        candidates=candidates,
        samplers=_samplers(study, arm, done),
    )


def _reproduce(study: Study, seed: SeedResult) -> str:
    recipe = study.folder / seed.folder / "recipe.toml"
    plugins = [word for path in study.plugins for word in ("--plugin", str(path))]
    return shlex.join(["engine", "run", "--config", recipe.as_posix(), *plugins])


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def _plan_of(study: Study, arm: Arm, done: Sequence[SeedResult]) -> dict[str, Any]:
    """Return the facts of the first run that finished, or of the plan."""
    if done:
        outcome = outcome_of(study.seed_folder(arm, done[0].seed))
        if outcome is not None:
            return dict(outcome["plan"])
    return plan_facts(study, arm) or {}


def _samplers(study: Study, arm: Arm, done: Sequence[SeedResult]) -> list[SamplerFigures]:
    """Return the figures of an arm's texts: those over all seeds are means of the seeds'."""
    written = {each.seed: read_if_whole(study.seed_folder(arm, each.seed) / TEXTS) for each in done}
    found = []
    for sampler in arm.samplers if study.prompts else ():
        by_seed: dict[str, TextFigures] = {}
        texts: list[records.Text] = []
        for seed, content in written.items():
            mine = (content or {}).get("samplers", {}).get(sampler.label)
            if mine is None:
                continue
            by_seed[str(seed)] = records.from_dict(TextFigures, mine["figures"])
            texts = texts or [records.from_dict(records.Text, each) for each in mine["texts"]]
        if by_seed:
            found.append(
                SamplerFigures(
                    sampler=sampler.label, figures=mean_figures(list(by_seed.values())), by_seed=by_seed, texts=texts
                )
            )
    return found


def mean_figures(figures: Sequence[TextFigures]) -> TextFigures:
    """Return the mean of each figure, and the longest passage of all."""

    def mean(name: str) -> float | None:
        values = [getattr(each, name) for each in figures if getattr(each, name) is not None]
        return statistics.fmean(values) if values else None

    longest = max(figures, key=lambda each: each.longest_verbatim or 0)
    return TextFigures(
        n_texts=sum(each.n_texts for each in figures),
        repetition=mean("repetition") or 0.0,
        distinct_1=mean("distinct_1") or 0.0,
        distinct_2=mean("distinct_2") or 0.0,
        distinct_3=mean("distinct_3") or 0.0,
        bits_per_byte=mean("bits_per_byte"),
        verbatim=mean("verbatim"),
        verbatim_bytes=longest.verbatim_bytes,
        longest_verbatim=longest.longest_verbatim,
        longest_text=longest.longest_text,
    )


def human(study: Study) -> tuple[TextFigures | None, list[records.Text]]:
    """Return the figures of the held-out text that stands in the place of the samples, with the texts.

    Its surprise is a model's, so it is left out where several arms have models.
    """
    if not study.prompts:
        return None, []
    folders = [study.seed_folder(arm, seed) for arm in study.arms for seed in study.seeds]
    found = [content["human"] for folder in folders if (content := read_if_whole(folder / TEXTS))]
    if not found:
        return None, []
    figures = mean_figures([records.from_dict(TextFigures, each["figures"]) for each in found])
    if len(study.arms) > 1:
        figures = dataclasses.replace(figures, bits_per_byte=None)
    figures = dataclasses.replace(figures, n_texts=len(found[0]["texts"]))
    return figures, [records.from_dict(records.Text, each) for each in found[0]["texts"]]
