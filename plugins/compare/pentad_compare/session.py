"""One call of `engine compare`, from what was asked to the files and the table."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from pentad import STAGES, EngineError, Recipe, TaskExecutor, UsageError
from pentad.tools import TABLES, Interrupted, describe, did_you_mean, locked, read_tables
from pentad_cli.tools import Tables, lay_over, say_json
from pentad_compare import collect
from pentad_compare.arms import SHARED, Arm, arm_of, distinct, limits, product
from pentad_compare.budgets import missed_by_plan
from pentad_compare.comparing import (
    Found,
    machine_of,
    measure_tokenizers,
    plan_arms,
    save,
    summarize,
    text_of,
    train_arms,
    write_texts,
)
from pentad_compare.records import Candidate
from pentad_compare.screen import Screen, plan_json
from pentad_compare.study import Study, slug
from pentad_compare.tuning import Tuning, candidates_of, parse, tune

if TYPE_CHECKING:
    from pentad_compare.request import Request


PROMPTS = (4, 16)
"""How many prompts, to look at samples and to compare samplers."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The flags of the command."""

    request: Request
    arm: Sequence[Path]
    baseline: str | None
    seeds: int
    tune: Sequence[str]
    tune_seeds: int
    tune_budget: str
    no_train: bool
    prompts: int | None
    text_bytes: int
    confidence: float
    detect: float
    jobs: int | None
    out: Path
    name: str
    dry_run: bool
    as_json: bool

    def executor(self) -> TaskExecutor:
        """Make the executor."""
        offer = self.request.executor
        executor: TaskExecutor = offer.make(self.request.executor_options, jobs=self.jobs)
        return executor


def whole(asked: Asked) -> None:
    """Train and compare.

    Raises:
        UsageError: the arms, the baseline, the budget or the text do not fit.
        Interrupted: by Ctrl-C; what is finished stays.
    """
    study = study_of(asked)
    tuning = tuning_of(asked, study)
    executor = asked.executor()
    study = dataclasses.replace(study, threads=executor.threads)
    refuse_shared_clock(study, tuning, executor)
    screen = Screen(sys.stderr if asked.as_json else sys.stdout)
    found = Found()
    with hold(study.folder), finding_back(study, tuning, found), contextlib.closing(screen):
        screen.intro(study.budget, study, tuning.tries(study) if tuning else 0)
        for note in limits(asked.request.names, asked.request.axes, asked.request.catalogue):
            screen.on_note(note)
        plan_arms(study, executor, screen, found)
        screen.plan(study, found, executor.concurrency, tuning.tries(study) if tuning else 0)
        for note in missed_by_plans(study):
            screen.on_note(note)
        if asked.dry_run:
            say_json(plan_json(study, found)) if asked.as_json else screen.say("This was a dry run: nothing was trained.")
            return
        candidates: Mapping[str, Sequence[Candidate]] = {}
        if tuning is not None:
            study, candidates = tune(study, tuning, executor, screen, found)
        train_arms(study, executor, screen, found)
        if study.prompts:
            write_texts(study, executor, screen, found)
        comparison = summarize(study, found, candidates)
        screen.result(comparison)  # before it is saved: a full disk takes the files, and not the answer
        save(comparison, study.report)
        screen.files(study.report)
        if asked.as_json:
            say_json(comparison)
    if all(arm.mean is None and arm.failure for arm in comparison.arms):
        raise EngineError(
            f"No run came to an end: {comparison.arms[0].failure}", "The report shows every cause.", code="all-failed"
        )


def study_of(asked: Asked) -> Study:
    """Make the arms and where their runs lie.

    Raises:
        UsageError: something that was asked for is not there or does not fit together.
    """
    request = asked.request
    # A share for validation is what tuning cuts off by itself; the score that is reported is of the held-out text.
    request.tables = {**request.tables, "data": {**request.tables["data"], "validation": 0.0}}
    arms = product(request.tables, request.names, request.axes, request.catalogue)
    for path in asked.arm:
        tables = _arm_tables(path, request, arms[0].recipe)
        arms.append(arm_of(path.stem, tables, arms[0].samplers, request.catalogue))
    arms = distinct(arms)
    labels = [arm.label for arm in arms]
    baseline = asked.baseline or labels[0]
    if baseline not in labels:
        raise UsageError(
            f"--baseline expects one of the arms, found {baseline!r}.",
            did_you_mean(baseline, labels) or f"The arms are: {'; '.join(labels)}.",
            code="unknown-arm",
        )
    first = arms[0].recipe.training.seed
    text = text_of(arms[0], request.catalogue)
    study = Study(
        arms=arms,
        seeds=list(range(first, first + asked.seeds)),
        folder=asked.out,
        name=_checked_name(asked.name) if asked.name else _name(arms, asked),
        split=text,
        catalogue=request.catalogue,
        plugins=request.plugins,
        prompts=asked.prompts if asked.prompts is not None else PROMPTS[len(arms[0].samplers) > 1],
        text_bytes=asked.text_bytes,
        threads=None,
        baseline=baseline,
        confidence=asked.confidence,
        detect=asked.detect,
        command=shlex.join(["engine", "compare", *request.arguments]),
    )
    if text.held_out.n_bytes == 0:
        raise UsageError(
            "A comparison judges on held-out text; found --held-out 0.", "Leave --held-out out.", code="nothing-held-out"
        )
    return study


def _arm_tables(path: Path, request: Request, first: Recipe) -> Tables:
    """Return a recipe file's tables with the comparison's text and end, which are those of the first arm."""
    tables = lay_over(request.tables, read_tables(path, "--arm"), request.catalogue)
    tables["data"] = request.tables["data"]
    for key in SHARED:
        table, _, name = key.partition(".")
        tables.setdefault(table, {})[name] = getattr(getattr(first, table), name)
    for axis in request.axes:  # what is said once holds for all arms
        known = axis.table in TABLES or axis.name in _options_of(axis.table, tables, request)
        if len(axis.values) == 1 and known:
            tables[axis.table] = {**tables[axis.table], axis.name: axis.values[0]}
    return tables


def _options_of(stage: str, tables: Tables, request: Request) -> list[str]:
    if stage not in STAGES:
        return []
    return [spec.name for spec in describe(request.catalogue.find(stage, str(tables[stage]["name"])).options)]


def _checked_name(name: str) -> str:
    """Return a report's name.

    Raises:
        UsageError: it is no name of a folder beside those of the runs.
    """
    if name != slug(name) or name in ("runs", "tokenizers"):
        raise UsageError(
            f"--name expects small letters, digits, dots and dashes; found {name!r}.",
            f"For example {slug(name)}-1.",
            code="name-format",
        )
    return name


def _name(arms: Sequence[Arm], asked: Asked) -> str:
    """Return a folder's name that the same comparison always gets, with more seeds too."""
    varied = [*dict.fromkeys(key.partition(".")[2] or key for arm in arms for key in arm.settings)]
    samplers = ["sampler"] if len(arms[0].samplers) > 1 else []
    recipes = []
    for arm in arms:
        tables = arm.recipe.to_dict()
        del tables["training"]["seed"]
        recipes.append([arm.label, tables, [each.label for each in arm.samplers]])
    kind = [asked.no_train, asked.baseline, list(asked.tune), asked.tune_seeds, asked.tune_budget]
    digest = hashlib.sha256(json.dumps([recipes, kind], sort_keys=True, default=str).encode()).hexdigest()[:6]
    return f"{slug('-'.join([*varied, *samplers]) or 'arm')}-{digest}"


def tuning_of(asked: Asked, study: Study) -> Tuning | None:
    """Return how arms are tuned, checked against every arm.

    Raises:
        UsageError: an option is no arm's, or its values are wrong.
    """
    if not asked.tune:
        if asked.tune_budget:
            raise UsageError(
                "--tune-budget needs --tune; found none.",
                "Say what to tune: --tune optimizer.lr=x0.3,x1,x3.",
                code="tune-missing",
            )
        return None
    tuning = Tuning(options=[parse(text) for text in asked.tune], seeds=asked.tune_seeds, budget=asked.tune_budget)
    for arm in study.arms:
        for option in tuning.options:
            if option.key in arm.settings:
                raise UsageError(
                    f"--tune {option.key} is what tells the arms apart.",
                    "Tune another option, or list it alone.",
                    code="tune-axis",
                )
        candidates_of(arm, tuning, study.catalogue)
    tuning.amount(study.arms[0])
    return tuning


def missed_by_plans(study: Study) -> Iterator[str]:
    """Say which arms cannot spend what they are given."""
    for arm in study.arms:
        facts = collect.plan_facts(study, arm)
        yield from missed_by_plan(arm.label, facts, arm.recipe.budget()) if facts else ()


def refuse_shared_clock(study: Study, tuning: Tuning | None, executor: TaskExecutor) -> None:
    """Make sure that a budget of time is measured by one run at a time on its processor.

    Raises:
        UsageError: several would share it.
    """
    budgets = [study.arms[0].recipe.budget(), *([tuning.amount(study.arms[0])] if tuning else [])]
    if any(budget.unit == "seconds" for budget in budgets) and (executor.shares_devices or _share_the_cpu(study, executor)):
        raise UsageError(
            f"A budget of time needs a processor for each run; {executor.concurrency} runs at once would slow each other.",
            "Say --jobs 1, or a budget that sharing does not change: --steps, 50MB, 2e15flops.",
            code="budget-shared",
        )


def _share_the_cpu(study: Study, executor: TaskExecutor) -> bool:
    """Say whether runs that are told to use the CPU share it although there is a GPU for each."""
    if executor.concurrency == 1 or all(arm.recipe.machine.device != "cpu" for arm in study.arms):
        return False
    import torch

    return torch.cuda.device_count() > 0


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep a second comparison out of the folder.

    Raises:
        EngineError: one is at work there, or it cannot be written.
    """
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder / ".lock", wait=False))
        except BlockingIOError:
            raise EngineError(
                f"{folder} is in use by another comparison.", "Wait for it, or say another --out.", code="folder-in-use"
            ) from None
        except OSError as error:
            raise EngineError(
                f"{folder} must be writable; found: {error.strerror}.", "Say another --out.", code="not-writable"
            ) from error
        yield


@contextlib.contextmanager
def finding_back(study: Study, tuning: Tuning | None, found: Found) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into the word that what is there stays.

    Raises:
        Interrupted: instead of KeyboardInterrupt.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left to do takes no time
        total = len(study.arms) * len(study.seeds) + (tuning.tries(study) if tuning else 0)
        raise Interrupted(
            f"Stopped; {len(found.trained)} of {total} runs are finished, and the one under way is saved.",
            f"To go on: {study.command}",
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def tokenizers_alone(asked: Asked) -> None:
    """Compare tokenizers without training a model.

    Raises:
        UsageError: something else than tokenizers varies, or the text is missing.
    """
    request = asked.request
    others: list[str] = [stage for stage in STAGES[1:] if len(request.names[stage]) > 1]
    others += [axis.key for axis in request.axes if axis.table != "tokenizer" and len(axis.values) > 1]
    if others or asked.arm or asked.tune:
        said = others[0] if others else "arm" if asked.arm else "tune"
        raise UsageError(
            f"--no-train compares tokenizers alone; found --{said}.", "Leave one of the two out.", code="options-conflict"
        )
    study = study_of(asked)
    names = [arm.recipe.choice("tokenizer").name for arm in study.arms]
    if len(names) == 1:
        arms = [dataclasses.replace(study.arms[0], label=names[0])]
        study = dataclasses.replace(study, arms=arms, baseline=names[0], name=asked.name or _name(arms, asked))
    screen = Screen(sys.stderr if asked.as_json else sys.stdout)
    found = Found()
    with hold(study.folder), finding_back(study, None, found), contextlib.closing(screen):
        figures = [] if asked.dry_run else measure_tokenizers(study, asked.executor(), screen, found)
        if asked.dry_run:
            labels = [arm.label for arm in study.arms]
            screen.say(f"Would train and measure: {'; '.join(labels)}.")
            say_json({"name": study.name, "tokenizers": labels}) if asked.as_json else None
            return
        comparison = dataclasses.replace(
            summarize(study, found, {}),
            tokenizers=figures,
            machine=machine_of(()),
            arms=(),
            groups=(),
            notes=(),
            human=None,
            human_texts=(),
        )
        screen.tokenizers(figures)
        save(comparison, study.report)
        screen.files(study.report)
        if asked.as_json:
            say_json(comparison)
    if all(each.failure for each in figures):
        raise EngineError(
            f"No tokenizer could be measured: {figures[0].failure}", "The report shows every cause.", code="all-failed"
        )
