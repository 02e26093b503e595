"""Tuning: every arm gets the same number of tries, with other seeds, judged on text that is neither trained on nor held out.

`--tune optimizer.lr=3e-4,1e-3,3e-3` tries these values with every arm; `x0.3,x1,x3` multiplies what the arm's recipe says, for
options whose good values differ from one implementation to another.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pentad import Catalogue, Recipe, UsageError
from pentad.tools import TABLES, Budget, OptionSpec, changed, describe, did_you_mean, resolve, written_tables
from pentad_compare import collect
from pentad_compare.arms import SHARED, TRAINED, Arm, Axis, checked
from pentad_compare.records import Candidate, Metric
from pentad_compare.running import Progress, Runner, text_of
from pentad_compare.study import Study

VALIDATION = 0.1
"""Share of the training text on which tried settings are judged."""

FIRST_SEED = 1_000_003
"""Distance of the seeds of tuning from those that are reported."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How arms are tuned.

    Args:
        options: what is tried; all combinations.
        seeds: how many seeds each try gets.
        budget: of each try; empty for the comparison's own.
    """

    options: Sequence[Axis]
    seeds: int
    budget: str

    def tries(self, study: Study) -> int:
        """Return how many runs it takes."""
        return len(study.arms) * self.seeds * math.prod(len(option.values) for option in self.options)

    def amount(self, arm: Arm) -> Budget:
        """Return what each try gets.

        Raises:
            UsageError: it cannot be read.
        """
        try:
            return Budget.parse(self.budget) if self.budget else arm.recipe.budget()
        except UsageError as error:
            raise UsageError(
                error.message.replace("--budget", "--tune-budget"),
                "A number of steps is written 500steps.",
                code="budget-format",
            ) from None


def parse(text: str) -> Axis:
    """Read `optimizer.lr=3e-4,1e-3`.

    Raises:
        UsageError: it is not of that form, or names no table of a recipe.
    """
    key, equals, values = text.partition("=")
    table, dot, name = key.strip().removeprefix("--").partition(".")
    listed = tuple(dict.fromkeys(value.strip() for value in values.split(",") if value.strip()))
    if not (equals and dot and name and listed):
        raise UsageError(
            f"--tune expects STAGE.OPTION=VALUE,VALUE, found {text!r}.",
            "For example optimizer.lr=3e-4,1e-3.",
            code="tune-format",
        )
    known = [*TRAINED, "training", "machine"]
    if table not in known:
        raise UsageError(
            f"--tune cannot tune {table!r}.", did_you_mean(table, known) or f"It tunes {', '.join(known)}.", code="tune-unknown"
        )
    if f"{table}.{name}" in SHARED:
        raise UsageError(
            f"--tune cannot tune {name}: it is the same for every arm.", "Give it as a flag of its own.", code="tune-shared"
        )
    return Axis(table=table, name=name.replace("-", "_"), values=listed)


def candidates_of(
    arm: Arm, tuning: Tuning, catalogue: Catalogue, sized: Recipe | None = None
) -> list[tuple[dict[str, str], Recipe]]:
    """Return what is tried with an arm: the options as texts, and the recipe with them.

    Args:
        arm: whose recipe it is.
        tuning: what is tried.
        catalogue: what is installed.
        sized: the recipe with the values that the arm's plan chose, which a factor (x3) multiplies; the arm's own otherwise.

    Raises:
        UsageError: the arm has no such option, so that it could not get the tuning that the others get; or a value is wrong.
    """
    candidates = []
    for values in itertools.product(*(option.values for option in tuning.options)):
        recipe = arm.recipe
        options: dict[str, str] = {}
        for option, value in zip(tuning.options, values, strict=True):
            recipe, options[option.key] = _with(arm, recipe, option, value, catalogue, sized or arm.recipe)
        candidates.append((options, checked(recipe, catalogue)))
    return candidates


def _with(arm: Arm, recipe: Recipe, option: Axis, value: str, catalogue: Catalogue, sized: Recipe) -> tuple[Recipe, str]:
    """Return a recipe with an option set, and its value as a text."""
    specs = _specs(recipe, option.table, catalogue)
    if option.name not in specs:
        raise UsageError(
            f"--tune {option.key}: the arm {arm.label} has no such option, and every arm must get the same tuning.",
            did_you_mean(option.name, specs) or "Leave the option or the arm out.",
            code="unknown-option",
        )
    spec = specs[option.name]
    tables = written_tables(resolve(recipe, catalogue))
    now = resolve(sized, catalogue).recipe.to_dict()[option.table][option.name]
    wanted: Any = value
    if value.startswith("x") and spec.type in (int, float) and now is not None:
        wanted = now * _factor(value, option)
        wanted = round(wanted) if spec.type is int else float(f"{wanted:.6g}")
    tables[option.table][option.name] = spec.convert(wanted, f"--tune {option.key}")
    return Recipe.from_dict(tables), str(tables[option.table][option.name])


def _factor(value: str, option: Axis) -> float:
    try:
        return float(value[1:])
    except ValueError:
        raise UsageError(
            f"--tune {option.key} expects a number after the x, found {value!r}.", "For example x0.3,x1,x3.", code="tune-format"
        ) from None


def _specs(recipe: Recipe, table: str, catalogue: Catalogue) -> Mapping[str, OptionSpec]:
    kind = TABLES[table] if table in TABLES else catalogue.find(table, recipe.choice(table).name).options
    return {spec.name: spec for spec in describe(kind)}


def tune(study: Study, tuning: Tuning, runner: Runner) -> tuple[Study, dict[str, list[Candidate]]]:
    """Try every candidate of every arm, and give each arm its best.

    Returns:
        The study with the tuned arms, and what was tried by label.
    """
    tried = {arm.label: candidates_of(arm, tuning, study.catalogue, study.sized(arm)) for arm in study.arms}
    trials = {label: [_trial(arm_of_label(study, label), tuning, *one) for one in tries] for label, tries in tried.items()}
    arms = [trial for tries in trials.values() for trial in tries]
    seeds = [study.seeds[0] + FIRST_SEED + number for number in range(tuning.seeds)]
    trial_study = dataclasses.replace(study, arms=arms, seeds=seeds, split=text_of(arms[0], study.catalogue))
    tasks = [trial_study.train_task(arm, seed) for seed in seeds for arm in arms]
    runner.run("Tuning", tasks, lambda task: collect.is_trained(task.folder))
    tuned, candidates = [], {}
    for arm in study.arms:
        scores = [_scores(trial_study, trial, runner.progress) for trial in trials[arm.label]]
        best = _best(scores)
        candidates[arm.label] = [
            Candidate(options=options, scores=[score for _, score in scores[number]], chosen=number == best)
            for number, (options, _) in enumerate(tried[arm.label])
        ]
        # Without any score nothing tells the tries apart, and the arm keeps its own setting.
        tuned.append(arm if best is None else dataclasses.replace(arm, recipe=tried[arm.label][best][1]))
    return dataclasses.replace(study, arms=tuned), candidates


def arm_of_label(study: Study, label: str) -> Arm:
    """Return an arm by its label."""
    return next(arm for arm in study.arms if arm.label == label)


def _trial(arm: Arm, tuning: Tuning, options: Mapping[str, str], recipe: Recipe) -> Arm:
    """Return a try as an arm: judged on validation text, with the budget of a try."""
    data = dataclasses.replace(recipe.data, validation=VALIDATION)
    training = recipe.training
    if tuning.budget:
        training = changed(training, budget=tuning.budget, steps=None)
    label = ", ".join([arm.label, *map(" ".join, options.items())])
    return dataclasses.replace(arm, label=label, recipe=recipe.replace(data=data, training=training))


_Scored = tuple[Metric | None, float | None]


def _scores(study: Study, arm: Arm, progress: Progress) -> list[_Scored]:
    """Return the score of a try with each seed, and what it is; None where the run failed or no evaluator fits it."""
    folders = [study.train_task(arm, seed).folder for seed in study.seeds]
    finals = [None if folder in progress.failures else collect.final_score(folder / "run") for folder in folders]
    return [final or (None, None) for final in finals]


def _best(tries: Sequence[Sequence[_Scored]]) -> int | None:
    """Return the number of the try with the best mean; one with a failed seed does not count. None where none is left."""
    means = {}
    for number, scored in enumerate(tries):
        ranks = [metric.rank(score) for metric, score in scored if metric is not None and score is not None]
        if len(ranks) == len(scored):
            means[number] = statistics.fmean(ranks)
    return min(means, key=lambda number: means[number]) if means else None
