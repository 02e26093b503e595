"""Reads the folders of finished tasks into records."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pentad.tools import RunDirectory, read_lines
from pentad_compare.arms import Arm
from pentad_compare.measures.figures import SamplerFigures, Text, TextFigures
from pentad_compare.records import ArmResult, Candidate, Metric, Point, SeedResult, from_dict
from pentad_compare.results import BAD, OUTCOME, PLAN, TEXTS, read_result, records_of
from pentad_compare.study import Study
from pentad_compare.work import is_complete


@dataclass(frozen=True, kw_only=True)
class _Planned:
    """The values of a plan that are used here, as in `pentad.Plan`."""

    parameters: Mapping[str, int]
    vocab_size: int
    train_bytes: int
    train_tokens: int
    steps: int
    seconds_per_step: float | None
    flops_per_step: float
    memory_bytes: int
    tokens_per_step: int
    device: str
    precision: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What a finished task of training says."""

    plan: _Planned
    wall_seconds: float
    peak_memory_bytes: int
    causal: bool
    lossless: bool
    records: str


def outcome_of(folder: Path) -> dict[str, Any] | None:
    """Return the outcome of a finished run, or None."""
    return read_result(folder / OUTCOME, _Outcome)


def is_trained(folder: Path) -> bool:
    """Say whether a run is complete, from its first step to its score."""
    outcome = outcome_of(folder)
    if outcome is None or outcome["records"] != records_of(folder / "run") or not is_complete(folder / "run"):
        return False
    return _figures_of(folder / "run", outcome) is not None


def is_planned(folder: Path) -> bool:
    """Say whether an arm's plan is complete."""
    return read_result(folder / PLAN, _Planned) is not None


def plan_of(study: Study, arm: Arm) -> dict[str, Any] | None:
    """Return the plan of an arm's runs, or None where planning failed."""
    return read_result(study.arm_folder(arm) / "plan" / PLAN, _Planned)


def metric_of(line: Mapping[str, Any]) -> Metric:
    """Return what the score of an evaluation is: a line of metrics.jsonl."""
    return Metric(
        evaluator=str(line["evaluator"]), name=str(line["primary"]), lower_is_better=bool(line.get("lower_is_better", True))
    )


def final_score(run: Path) -> tuple[Metric, float] | None:
    """Return the final score of a run, or None where no evaluator judged it."""
    finals = [line for line in read_lines(run / "metrics.jsonl") if line.get("kind") == "evaluation" and line.get("final")]
    with contextlib.suppress(*BAD):
        return (metric_of(finals[-1]), float(finals[-1][finals[-1]["primary"]])) if finals else None
    return None


_NO_SCORES = {
    *("kind", "final", "step", "evaluator", "primary", "lower_is_better"),
    *("n_bytes", "n_tokens", "context_length", "tokens", "timing"),
}
"""The keys of an evaluation in metrics.jsonl that are no scores."""


def seed_result(study: Study, arm: Arm, seed: int, failure: str, reused: bool) -> SeedResult:
    """Return the results of one run."""
    folder = study.seed_folder(arm, seed)
    run_folder = (folder / "run").relative_to(study.folder).as_posix()
    outcome = outcome_of(folder)
    if outcome is None or failure:
        return SeedResult(seed=seed, folder=run_folder, failure=failure or "it was not run")
    sealed = outcome["records"] == records_of(folder / "run") and RunDirectory(folder / "run").is_sealed()
    figures = _figures_of(folder / "run", outcome) if sealed else None
    if figures is None:
        return SeedResult(seed=seed, folder=run_folder, failure="its records are not those that the run wrote")
    return SeedResult(seed=seed, folder=run_folder, reused=reused, **figures)


def _figures_of(run: Path, outcome: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the figures of a finished run, or None where its records are not what a run writes, though it is sealed."""
    try:
        return _figures(read_lines(run / "metrics.jsonl"), outcome, outcome["plan"])
    except BAD:
        return None


def _figures(lines: Sequence[Mapping[str, Any]], outcome: Mapping[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    steps = [line for line in lines if line.get("kind") == "step"]
    evaluations = [line for line in lines if line.get("kind") == "evaluation"]
    final = next((line for line in evaluations if line.get("final")), None)
    bytes_per_token = _bytes_per_token(plan)
    last: Mapping[str, Any] = steps[-1] if steps else {"step": 0, "tokens": 0, "timing": {"seconds": 0.0}}
    step, tokens, seconds = int(last["step"]), int(last["tokens"]), float(last["timing"]["seconds"])
    return {
        "metric": metric_of(final) if final else None,
        "score": float(final[final["primary"]]) if final else None,
        "scores": {key: float(value) for key, value in (final or {}).items() if key not in _NO_SCORES},
        "steps": step,
        "tokens": tokens,
        "bytes": tokens * bytes_per_token,
        "flops": step * plan["flops_per_step"],
        "training_seconds": seconds,
        "wall_seconds": outcome["wall_seconds"],
        "tokens_per_second": tokens / max(seconds, 1e-9),
        "bytes_per_second": tokens * bytes_per_token / max(seconds, 1e-9),
        "peak_memory_bytes": outcome["peak_memory_bytes"],
        "device": plan["device"],
        "precision": plan["precision"],
        "threads": plan["threads"],
        "curve": [_point(line, bytes_per_token, plan["flops_per_step"]) for line in evaluations],
    }


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """Texts with their figures."""

    figures: TextFigures
    texts: Sequence[Text]


@dataclass(frozen=True, kw_only=True)
class _Written:
    """What a model wrote with each sampler, and the held-out texts."""

    samplers: Mapping[str, _Measured]
    human: _Measured
    asked: Mapping[str, Any]
    records: str


def read_texts(folder: Path) -> dict[str, Any] | None:
    """Return what a trained model wrote, or None where that is missing, damaged, or an earlier training's."""
    written = read_result(folder / TEXTS, _Written)
    return written if written and written["records"] == records_of(folder / "run") else None


def _bytes_per_token(plan: Mapping[str, Any]) -> float:
    return float(plan["train_bytes"] / max(1, plan["train_tokens"]))


def _point(line: Mapping[str, Any], bytes_per_token: float, flops_per_step: float) -> Point:
    return Point(
        step=int(line["step"]),
        tokens=int(line["tokens"]),
        bytes=int(line["tokens"]) * bytes_per_token,
        flops=int(line["step"]) * flops_per_step,
        seconds=float(line["timing"]["training_seconds"]),
        score=float(line[line["primary"]]),
        final=bool(line.get("final")),
    )


def arm_result(study: Study, arm: Arm, seeds: Sequence[SeedResult], failure: str, candidates: Sequence[Candidate]) -> ArmResult:
    """Return the results of an arm, over its runs."""
    done = [seed for seed in seeds if not seed.failure]
    failure = failure or (seeds[0].failure if seeds and not done else "")
    outcome = outcome_of(study.seed_folder(arm, done[0].seed)) if done else None
    plan = outcome["plan"] if outcome else plan_of(study, arm) or {}
    scores = [seed.score for seed in done if seed.score is not None]
    return ArmResult(
        label=arm.label,
        settings=arm.settings,
        recipe={name: _without_none(table) for name, table in study.sized(arm).to_dict().items()},
        reproduce=_reproduce(study, done[0]) if done else "",
        failure=failure,
        parameters=plan.get("parameters", {}),
        vocab_size=plan.get("vocab_size", 0),
        bytes_per_token=_bytes_per_token(plan) if plan else 0.0,
        flops_per_step=plan.get("flops_per_step", 0.0),
        metric=next((seed.metric for seed in done if seed.metric), None),
        mean=statistics.fmean(scores) if scores else None,
        spread=statistics.stdev(scores) if len(scores) > 1 else None,
        seeds=seeds,
        candidates=candidates,
        samplers=_samplers(study, arm, done),
    )


def is_lossless(study: Study, arm: Arm) -> bool:
    """Say whether an arm's tokenizer keeps every text, as far as a finished run tells."""
    outcomes = [outcome for seed in study.seeds if (outcome := outcome_of(study.seed_folder(arm, seed)))]
    return all(outcome["lossless"] for outcome in outcomes)


def _reproduce(study: Study, seed: SeedResult) -> str:
    recipe = study.folder / seed.folder / "recipe.toml"
    plugins = [word for path in study.plugins for word in ("--plugin", str(path))]
    return shlex.join(["engine", "run", "--config", recipe.as_posix(), *plugins])


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def _samplers(study: Study, arm: Arm, done: Sequence[SeedResult]) -> list[SamplerFigures]:
    """Return the figures of an arm's texts: those over all seeds are means of the seeds' figures."""
    written = {seed.seed: read_texts(study.seed_folder(arm, seed.seed)) or {} for seed in done}
    results = []
    for sampler in arm.samplers if study.prompts else ():
        mine = {
            str(seed): values for seed, content in written.items() if (values := content.get("samplers", {}).get(sampler.label))
        }
        if mine:
            by_seed = {seed: from_dict(TextFigures, values["figures"]) for seed, values in mine.items()}
            texts = [from_dict(Text, text) for text in next(iter(mine.values()))["texts"]]
            figures = mean_figures(list(by_seed.values()))
            results.append(SamplerFigures(sampler=sampler.label, figures=figures, by_seed=by_seed, texts=texts))
    return results


def mean_figures(figures: Sequence[TextFigures]) -> TextFigures:
    """Return the mean of each figure, and the longest passage of all."""

    def mean(name: str) -> float | None:
        values = [value for one in figures if (value := getattr(one, name)) is not None]
        return statistics.fmean(values) if values else None

    longest = max(figures, key=lambda one: one.longest_verbatim or 0)
    return TextFigures(
        n_texts=sum(one.n_texts for one in figures),
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


def human(study: Study) -> tuple[TextFigures | None, list[Text]]:
    """Return the figures of the held-out texts that the samples are compared with, and the texts.

    Their bits per byte depend on the model, so they are left out where there are several arms.
    """
    if not study.prompts:
        return None, []
    folders = [study.seed_folder(arm, seed) for arm in study.arms for seed in study.seeds]
    results = [content["human"] for folder in folders if (content := read_texts(folder))]
    if not results:
        return None, []
    figures = mean_figures([from_dict(TextFigures, result["figures"]) for result in results])
    if len(study.arms) > 1:
        figures = dataclasses.replace(figures, bits_per_byte=None)
    texts = [from_dict(Text, text) for text in results[0]["texts"]]
    return dataclasses.replace(figures, n_texts=len(texts)), texts
