"""Carries a study out: plans, runs, texts; then the records, the page and the table."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pentad
from pentad import EngineError, RunObserver, Task, TaskExecutor, TaskResult
from pentad.tools import Split, open_split, resolve, write_atomically
from pentad_compare import collect
from pentad_compare.arms import Arm
from pentad_compare.budgets import missed
from pentad_compare.edges import at_the_edge
from pentad_compare.groups import FAILED, LOOKS_BOTH_WAYS, NOT_LOSSLESS, group
from pentad_compare.records import ArmResult, Candidate, Comparison, Data, SeedResult, TokenizerFigures, from_dict
from pentad_compare.study import Study, processor
from pentad_compare.work import ASKED, FIGURES, TEXTS


class Watcher:
    """Is told how a comparison goes; does nothing by default."""

    def on_phase(self, what: str, tasks: Sequence[Task], reused: int) -> None:
        """Tasks are about to start; `reused` more are done already."""

    def on_end(self, ended: TaskResult) -> None:
        """One is over."""

    def on_note(self, note: str) -> None:
        """Something that the user should know."""


@dataclass
class Found:
    """What has been carried out so far, by folder: why things failed, what was there before, which runs are finished."""

    failures: dict[Path, str] = field(default_factory=dict)
    reused: set[Path] = field(default_factory=set)
    trained: set[Path] = field(default_factory=set)


def run_tasks(
    tasks: Sequence[Task], what: str, is_done: Callable[[Task], bool], executor: TaskExecutor, watcher: Watcher, found: Found
) -> None:
    """Carry out those tasks that are not done, and note what failed."""
    waiting = [task for task in tasks if not is_done(task)]
    done = {task.folder for task in tasks if task not in waiting}
    found.reused |= done
    found.trained |= {folder for folder in done if collect.is_trained(folder)}
    watcher.on_phase(what, waiting, len(tasks) - len(waiting))
    for ended in executor.run_tasks(waiting):
        if ended.failure:
            found.failures[ended.task.folder] = f"{ended.failure.message} {ended.failure.hint}".strip()
        elif collect.is_trained(ended.task.folder):
            found.trained.add(ended.task.folder)
        watcher.on_end(ended)


def plan_arms(study: Study, executor: TaskExecutor, watcher: Watcher, found: Found) -> None:
    """Find out what every arm's runs cost; tokenizers and tokens are then in the cache."""
    tasks = [study.plan_task(arm) for arm in study.arms]
    run_tasks(tasks, "Planning", lambda task: collect.is_planned(task.folder), executor, watcher, found)


def failure_of_plan(study: Study, arm: Arm, found: Found) -> str:
    """Return why an arm could not be planned; empty when it could."""
    return found.failures.get(study.plan_task(arm).folder, "")


def train_arms(study: Study, executor: TaskExecutor, watcher: Watcher, found: Found) -> None:
    """Carry out every run of every arm that could be planned: all arms with the first seed, then with the next."""
    arms = [arm for arm in study.arms if not failure_of_plan(study, arm, found)]
    tasks = [study.train_task(arm, seed) for seed in study.seeds for arm in arms]
    run_tasks(tasks, "Training", lambda task: collect.is_trained(task.folder), executor, watcher, found)


def write_texts(study: Study, executor: TaskExecutor, watcher: Watcher, found: Found) -> None:
    """Let every model write, and measure what it writes."""
    trained = [(arm, seed) for seed in study.seeds for arm in study.arms if collect.is_trained(study.seed_folder(arm, seed))]
    tasks = [study.texts_task(arm, seed) for arm, seed in trained if _is_causal(study.seed_folder(arm, seed))]

    def is_done(task: Task) -> bool:
        content = collect.read_if_whole(task.folder / TEXTS) or {}
        asked = {key: task.argument[key] for key in ASKED}
        return bool(content.get("asked") == asked)

    failed = dict(found.failures)
    run_tasks(tasks, "Writing samples", is_done, executor, watcher, found)
    for folder, cause in list(found.failures.items()):
        if folder not in failed:  # a run whose texts failed is still a run
            watcher.on_note(f"No samples from {folder}: {cause}")
            del found.failures[folder]


def _is_causal(folder: Path) -> bool:
    outcome = collect.outcome_of(folder) or {}
    return bool(outcome.get("causal", True))


def measure_tokenizers(study: Study, executor: TaskExecutor, watcher: Watcher, found: Found) -> list[TokenizerFigures]:
    """Train and measure every arm's tokenizer."""
    tasks = [study.tokenizer_task(arm) for arm in study.arms]
    run_tasks(tasks, "Tokenizers", lambda task: _measured(task) is not None, executor, watcher, found)
    figures = []
    for arm, task in zip(study.arms, tasks, strict=True):
        content = _measured(task)
        if content is None:
            failure = found.failures.get(task.folder, "it was not carried out")
            figures.append(TokenizerFigures(label=arm.label, recipe=task.argument["recipe"]["tokenizer"], failure=failure))
        else:
            figures.append(dataclasses.replace(from_dict(TokenizerFigures, content), label=arm.label))
    return figures


def _measured(task: Task) -> dict[str, Any] | None:
    return collect.read_if_whole(task.folder / FIGURES, *(each.name for each in dataclasses.fields(TokenizerFigures)))


def text_of(arm: Arm, study_catalogue: pentad.Catalogue) -> Split:
    """Open the text that every arm has, cut as every run cuts it."""
    return open_split(resolve(arm.recipe, study_catalogue), study_catalogue, RunObserver())


def summarize(study: Study, found: Found, candidates: Mapping[str, Sequence[Candidate]]) -> Comparison:
    """Make the records of a study from what lies in its folders."""
    arms = [_arm(study, arm, found, candidates.get(arm.label, ())) for arm in study.arms]
    recipe = study.arms[0].recipe
    human, human_texts = collect.human(study)
    return Comparison(
        name=study.name,
        command=study.command,
        made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
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
        groups=group(arms, {arm.label: _kind(study, arm) for arm in arms}, study.baseline, study.confidence, study.detect),
        arms=arms,
        human=human,
        human_texts=human_texts,
        notes=_notes(study, arms),
    )


def _arm(study: Study, arm: Arm, found: Found, candidates: Sequence[Candidate]) -> ArmResult:
    failure = failure_of_plan(study, arm, found)
    seeds = [] if failure else [_seed(study, arm, seed, found) for seed in study.seeds]
    return collect.arm_result(study, arm, seeds, failure, candidates)


def _seed(study: Study, arm: Arm, seed: int, found: Found) -> SeedResult:
    folder = study.train_task(arm, seed).folder
    return collect.seed_result(study, arm, seed, found.failures.get(folder, ""), folder in found.reused)


def _kind(study: Study, arm: ArmResult) -> str:
    """Return why an arm stands apart from those that are scored in bits per byte."""
    done = [each for each in arm.seeds if not each.failure]
    if not done:
        return FAILED
    outcome = collect.outcome_of((study.folder / done[0].folder).parent) or {}
    if not outcome.get("causal", True):
        return LOOKS_BOTH_WAYS
    return "" if outcome.get("lossless", True) else NOT_LOSSLESS


def machine_of(arms: Sequence[ArmResult]) -> str:
    """Return what computed, in words."""
    done = [each for arm in arms for each in arm.seeds if not each.failure]
    devices = sorted({f"{each.device}, {each.precision}, {each.threads} threads" for each in done})
    return "; ".join([f"{processor()}, {platform.system()}", *devices])


def _notes(study: Study, arms: Sequence[ArmResult]) -> list[str]:
    found = []
    if len(study.seeds) == 1:
        found.append("One seed: what differs by chance cannot be told from what differs. Say --seeds 3 or more.")
    scored = any(arm.mean is not None for arm in arms)
    if len(arms) > 1 and scored and next(arm for arm in arms if arm.label == study.baseline).mean is None:
        found.append(f"The baseline {study.baseline} has no score, so the arms are compared with the first that has one.")
    found += missed(arms, study.arms[0].recipe.budget())
    found += [
        f"No setting that was tried gave {arm.label} a score, so it kept its own."
        for arm in arms
        if arm.candidates and not any(each.chosen for each in arm.candidates)
    ]
    found += [note for arm in arms for note in at_the_edge(arm)]
    failed = [arm.label for arm in arms if any(each.failure for each in arm.seeds) or arm.failure]
    if failed:
        found.append(f"Runs failed and are left out of the figures: {'; '.join(failed)}.")
    if len({(each.device, each.precision, each.threads) for arm in arms for each in arm.seeds if not each.failure}) > 1:
        found.append("The runs were computed in different ways (see the table), so times and memory do not compare.")
    return found


def save(comparison: Comparison, folder: Path) -> None:
    """Write comparison.json and report.html.

    Raises:
        EngineError: the folder cannot be written.
    """
    from pentad_compare.report.page import write_report

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "comparison.json", comparison.to_json())
        write_report(comparison, folder / "report.html")
    except OSError as error:
        raise EngineError(
            f"{folder} must be writable; found: {error.strerror}.", "Say --out DIR.", code="not-writable"
        ) from error
