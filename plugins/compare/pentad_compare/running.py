"""Runs the tasks of a study: plans, trainings, texts, tokenizers; what is finished is used again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pentad import Catalogue, RunObserver, Task, TaskExecutor, TaskResult
from pentad.tools import Split, open_split, refuse_links, resolve
from pentad_compare import collect
from pentad_compare.arms import Arm
from pentad_compare.measures.figures import TokenizerFigures
from pentad_compare.records import from_dict
from pentad_compare.results import FIGURES, read_result
from pentad_compare.study import Study
from pentad_compare.work import DECIDES_TEXTS


class Watcher:
    """Is told of the progress of a comparison; does nothing by default."""

    def on_phase(self, title: str, tasks: Sequence[Task], reused: int) -> None:
        """Tasks are about to start; `reused` more are done already."""

    def on_result(self, result: TaskResult) -> None:
        """A task has ended."""

    def on_note(self, note: str) -> None:
        """There is something that the user should know."""


@dataclass
class Progress:
    """What has been done so far, by folder: why tasks failed, what was finished before, which runs are finished."""

    failures: dict[Path, str] = field(default_factory=dict)
    reused: set[Path] = field(default_factory=set)
    trained: set[Path] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Runs the tasks of a study.

    Args:
        executor: where they run.
        watcher: is told of them.
        progress: what has been done so far; grows.
        folder: the study's, in which they work.
    """

    executor: TaskExecutor
    watcher: Watcher
    progress: Progress
    folder: Path

    def run(self, title: str, tasks: Sequence[Task], is_done: Callable[[Task], bool]) -> None:
        """Run those tasks that are not done.

        Raises:
            EngineError: there is a link, a pipe or a device in a task's folder or on the way to it: what is written would stand
                somewhere else.
        """
        for task in tasks:
            refuse_links(task.folder, within=self.folder.absolute())
        waiting = [task for task in tasks if not is_done(task)]
        done = {task.folder for task in tasks if task not in waiting}
        self.progress.reused |= done
        self.progress.trained |= {folder for folder in done if collect.is_trained(folder)}
        self.watcher.on_phase(title, waiting, len(tasks) - len(waiting))
        for result in self.executor.run_tasks(waiting):
            folder = result.task.folder
            if result.failure:
                self.progress.failures[folder] = f"{result.failure.message} {result.failure.hint}".strip()
            elif collect.is_trained(folder):
                self.progress.trained.add(folder)
            self.watcher.on_result(result)

    def plan(self, study: Study) -> None:
        """Estimate the cost of every arm's runs; tokenizers and tokens are then in the cache."""
        self.run("Planning", [study.plan_task(arm) for arm in study.arms], lambda task: collect.is_planned(task.folder))

    def train(self, study: Study) -> None:
        """Train every arm that could be planned: all arms with the first seed, then with the next."""
        arms = [arm for arm in study.arms if not planning_failure(study, arm, self.progress)]
        tasks = [study.train_task(arm, seed) for seed in study.seeds for arm in arms]
        self.run("Training", tasks, lambda task: collect.is_trained(task.folder))

    def write_texts(self, study: Study) -> None:
        """Let every model write, and measure what it writes."""
        runs = [(arm, seed) for seed in study.seeds for arm in study.arms]
        tasks = [study.texts_task(arm, seed) for arm, seed in runs if _can_write(study.seed_folder(arm, seed))]
        failed = set(self.progress.failures)
        self.run("Writing samples", tasks, _is_written)
        for folder in set(self.progress.failures) - failed:  # a run whose texts failed is still a run
            self.watcher.on_note(f"No samples from {folder}: {self.progress.failures.pop(folder)}")

    def measure_tokenizers(self, study: Study) -> list[TokenizerFigures]:
        """Train and measure every arm's tokenizer."""
        tasks = [study.tokenizer_task(arm) for arm in study.arms]
        self.run("Tokenizers", tasks, lambda task: _figures_of(task) is not None)
        return [self._tokenizer(arm, task) for arm, task in zip(study.arms, tasks, strict=True)]

    def _tokenizer(self, arm: Arm, task: Task) -> TokenizerFigures:
        values = _figures_of(task)
        if values is not None:
            return dataclasses.replace(from_dict(TokenizerFigures, values), label=arm.label)
        failure = self.progress.failures.get(task.folder, "it was not run")
        return TokenizerFigures(label=arm.label, recipe=task.argument["recipe"]["tokenizer"], failure=failure)


def planning_failure(study: Study, arm: Arm, progress: Progress) -> str:
    """Return why an arm could not be planned; empty when it could."""
    return progress.failures.get(study.plan_task(arm).folder, "")


def text_of(arm: Arm, catalogue: Catalogue) -> Split:
    """Open the text of a study, split as every run splits it."""
    return open_split(resolve(arm.recipe, catalogue), catalogue, RunObserver())


def _can_write(folder: Path) -> bool:
    outcome = collect.outcome_of(folder) if collect.is_trained(folder) else None
    return outcome is not None and bool(outcome["causal"])


def _is_written(task: Task) -> bool:
    content = collect.read_texts(task.folder) or {}
    return bool(content.get("asked") == {key: task.argument[key] for key in DECIDES_TEXTS})


def _figures_of(task: Task) -> dict[str, Any] | None:
    return read_result(task.folder / FIGURES, TokenizerFigures)
