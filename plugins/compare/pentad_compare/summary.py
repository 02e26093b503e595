"""From the folders of a study to the comparison: its records, what a reader must know, and the files."""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pentad
from pentad import EngineError
from pentad.tools import write_atomically
from pentad_compare import collect
from pentad_compare.arms import Arm
from pentad_compare.records import ArmResult, Candidate, Comparison, Data, SeedResult
from pentad_compare.running import Progress, planning_failure
from pentad_compare.study import Study, null_tests, processor
from pentad_compare.verdicts.budgets import missed
from pentad_compare.verdicts.edges import at_the_edge
from pentad_compare.verdicts.groups import comparable, group


def summarize(study: Study, progress: Progress, candidates: Mapping[str, Sequence[Candidate]]) -> Comparison:
    """Read the records of a study from its folders."""
    arms = [_arm(study, arm, progress, candidates.get(arm.label, ())) for arm in study.arms]
    kinds = {arm.label: comparable(arm, collect.is_lossless(study, own)) for arm, own in zip(arms, study.arms, strict=True)}
    recipe = study.arms[0].recipe
    human, human_texts = collect.human(study)
    return Comparison(
        name=study.name,
        command=study.command,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        engine=pentad.__version__,
        python=platform.python_version(),
        torch=importlib.metadata.version("torch"),
        machine=machine_of(arms),
        budget=study.budget,
        budget_unit=recipe.budget().unit,
        seeds=study.seeds,
        confidence=study.confidence,
        detect=study.detect,
        data=Data(
            sources=recipe.data.sources,
            fingerprint=study.split.fingerprint,
            rule=study.split.rule,
            train_bytes=study.split.train.n_bytes,
            held_out_bytes=study.split.held_out.n_bytes,
        ),
        groups=group(arms, kinds, study.baseline, study.confidence, study.detect),
        arms=arms,
        human=human,
        human_texts=human_texts,
        notes=list(_notes(study, arms)),
    )


def _arm(study: Study, arm: Arm, progress: Progress, candidates: Sequence[Candidate]) -> ArmResult:
    failure = planning_failure(study, arm, progress)
    seeds = [] if failure else [_seed(study, arm, seed, progress) for seed in study.seeds]
    return collect.arm_result(study, arm, seeds, failure, candidates)


def _seed(study: Study, arm: Arm, seed: int, progress: Progress) -> SeedResult:
    folder = study.train_task(arm, seed).folder
    return collect.seed_result(study, arm, seed, progress.failures.get(folder, ""), folder in progress.reused)


def machine_of(arms: Sequence[ArmResult]) -> str:
    """Describe the machine and how the runs used it."""
    devices = sorted({f"{seed.device}, {seed.precision}, {seed.threads} threads" for arm in arms for seed in arm.done})
    return "; ".join([f"{processor()}, {platform.system()}", *devices])


def _notes(study: Study, arms: Sequence[ArmResult]) -> Iterator[str]:
    """Yield what a reader must know to judge the figures."""
    yield from null_tests(study.arms)
    yield from sizes_chosen(study)
    if len(study.seeds) == 1:
        yield "One seed: chance cannot be told from a difference. Use --seeds 3 or more."
    baseline = next(arm for arm in arms if arm.label == study.baseline)
    if len(arms) > 1 and baseline.mean is None and any(arm.mean is not None for arm in arms):
        yield f"The baseline {study.baseline} has no score, so the arms are compared with the first that has one."
    if study.jobs > 1 and study.arms[0].recipe.budget().unit == "seconds":
        yield (
            f"{study.jobs} runs trained at once, each on cores of its own. They shared caches and memory, so these seconds "
            "compare among themselves alone."
        )
    yield from missed(arms, study.arms[0].recipe.budget())
    for arm in arms:
        if arm.candidates and not any(candidate.chosen for candidate in arm.candidates):
            yield f"No setting that was tried gave {arm.label} a score, so it kept its own."
        yield from at_the_edge(arm)
    failed = [arm.label for arm in arms if arm.failure or any(seed.failure for seed in arm.seeds)]
    if failed:
        yield f"Runs failed and are left out of the figures: {'; '.join(failed)}."
    ways = {(seed.device, seed.precision, seed.threads) for arm in arms for seed in arm.done}
    if len(ways) > 1:
        yield "The runs were computed in different ways (see the table), so times and memory do not compare."


def sizes_chosen(study: Study) -> Iterator[str]:
    """Say of each arm to what it sized itself, where that was left open."""
    for arm in study.arms:
        reason = (collect.plan_of(study, arm) or {}).get("sizing", {}).get("model")
        if reason:
            yield f"{arm.label} was sized to {reason}."


def save(comparison: Comparison, folder: Path, figures: Path | None = None) -> None:
    """Write comparison.json and report.html and, where a folder is given, the report's figures as SVG.

    Raises:
        EngineError: a folder cannot be written.
    """
    from pentad_compare.report.page import render, write_figures

    target = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        report = render(comparison)
        write_atomically(folder / "comparison.json", comparison.to_json(report))
        write_atomically(folder / "report.html", report)
        if figures is not None:
            target = figures
            write_figures(comparison, figures)
    except OSError as error:
        hint = "Choose another folder with --out." if target == folder else "Choose another folder with --figures."
        raise EngineError(f"{target} must be writable; found: {error.strerror}.", hint, code="not-writable") from error
