"""From the arguments of `engine compare` to a study that is checked: its arms, baseline, name and tuning."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from pentad import STAGES, Catalogue, Choice, Recipe, TaskExecutor, UsageError
from pentad.tools import TABLES, RunDirectory, available_cores, describe, did_you_mean, read_tables
from pentad_cli.tools import Tables, lay_over
from pentad_compare import collect
from pentad_compare.arms import SHARED, Arm, arm_of, checked, distinct, label_of, product, settings_of
from pentad_compare.request import CompareArgs, Request, listed, once
from pentad_compare.running import text_of
from pentad_compare.study import Study, slug
from pentad_compare.tuning import Tuning, candidates_of, parse
from pentad_compare.verdicts.budgets import missed_by_plan

PROMPTS = (4, 16)
"""How many prompts, to look at samples and to compare samplers."""


def study_of(args: CompareArgs) -> Study:
    """Make the arms, and choose where their runs go.

    Raises:
        UsageError: an argument names something that does not exist, or two do not fit together.
    """
    request = args.request
    # Tuning cuts its own validation text off; the score that is reported is of the held-out text.
    request.tables = {**request.tables, "data": {**request.tables["data"], "validation": 0.0}}
    arms = distinct(arms_of(args))
    refuse_nothing_listed(arms, args)
    baseline = find_baseline(arms, args.baseline)
    first = arms[0].recipe.training.seed
    split = text_of(arms[0], request.catalogue)
    if split.held_out.n_bytes == 0:
        raise UsageError(
            "A comparison judges on held-out text; found --held-out 0.", "Leave --held-out out.", code="nothing-held-out"
        )
    return Study(
        arms=arms,
        seeds=list(range(first, first + args.seeds)),
        folder=args.out,
        name=_checked_name(args.name) if args.name else name_of(arms, args),
        split=split,
        catalogue=request.catalogue,
        plugins=request.plugins,
        prompts=args.prompts if args.prompts is not None else PROMPTS[len(arms[0].samplers) > 1],
        text_bytes=args.text_bytes,
        threads=None,
        jobs=1,
        baseline=baseline,
        confidence=args.confidence,
        detect=args.detect,
        command=shlex.join(["engine", "compare", *request.arguments]),
    )


def arms_of(args: CompareArgs) -> list[Arm]:
    """Make the arms of the lists and of the recipe files, from each of the runs to start from.

    Raises:
        UsageError: as for `study_of`.
        EngineError: a run to start from is damaged.
    """
    starts = starts_of(args.start)
    adapters = listed(args.adapter, "--adapter") if args.adapter else ()
    short = [start.name for start in starts if start]
    names = ["none" if run is None else run.name if short.count(run.name) == 1 else str(run) for run in starts]
    found: list[Arm] = []
    for start, name in zip(starts or (None,), names or ("",), strict=True):
        request = args.request if start is None else started_from(args.request, start)
        arms = product(request.tables, request.names, request.axes, request.catalogue)
        arms = with_adapters(arms, adapters, request.catalogue)
        first = (found or arms)[0]
        for path in args.arm:
            tables = _arm_tables(path, request, first.recipe)
            arms.append(arm_of(path.stem, tables, first.samplers, request.catalogue))
        found += arms if len(starts) < 2 else [_with_start(arm, name, alone=len(arms) == 1) for arm in arms]
    return found


def starts_of(texts: Sequence[str]) -> tuple[Path | None, ...]:
    """Read lists of runs to start from; `none` is no run, and a folder whose whole name is there is that folder.

    Raises:
        UsageError: a list is empty.
    """
    found: list[Path | None] = []
    for text in texts:
        whole = Path(text).expanduser()
        names = [text] if text and whole.is_dir() else [part.strip() for part in text.split(",") if part.strip()]
        if not names:
            raise UsageError(
                "--start expects a run or a list of runs, found nothing.", "engine runs lists them.", code="empty-word"
            )
        found += [None if name == "none" else Path(name).expanduser() for name in names]
    return tuple(dict.fromkeys(found))


def _with_start(arm: Arm, name: str, *, alone: bool) -> Arm:
    """Return an arm that says in label and settings from which run it starts, `alone` where nothing else tells it apart."""
    return dataclasses.replace(arm, label=name if alone else f"{name}, {arm.label}", settings={"start": name, **arm.settings})


def started_from(request: Request, run: Path) -> Request:
    """Return the request with a run to start from below all lists: its tokenizer, its model and its context come along.

    Raises:
        UsageError: there is no run in the folder, or a list asks for another tokenizer or model.
        EngineError: it is damaged.
    """
    recipe = RunDirectory.open(run).recipe()
    came = {stage: recipe.choices()[stage] for stage in ("tokenizer", "model")}
    for stage, choice in came.items():
        others = [name for name in once(request.names[stage]) if stage in request.named and name != choice.name]
        if others:
            raise UsageError(
                f"The {stage} comes along with the run to start from, and is {choice.name} in {run}; found --{stage} "
                f"{', '.join(others)}.",
                f"Leave --{stage} out, or start from another run.",
                code="start-mismatch",
            )
    tables = {stage: {"name": choice.name, **choice.options} for stage, choice in came.items()}
    length = {"context_length": recipe.training.context_length}
    given = request.tables.get("training", {})
    return dataclasses.replace(
        request,
        tables={
            **request.tables,
            **tables,
            "training": {**length, **given},
            "start": {"run": str(run.absolute())},
        },
        names={**request.names, **{stage: (Choice(choice.name),) for stage, choice in came.items()}},
    )


def with_adapters(arms: Sequence[Arm], adapters: Sequence[Choice], catalogue: Catalogue) -> list[Arm]:
    """Return each arm with each of the adapters; as they are where none is named.

    Raises:
        UsageError: an adapter is not installed, or has no such option.
    """
    if not adapters:
        return list(arms)
    found = []
    for arm in arms:
        for choice in adapters:
            recipe = checked(arm.recipe.replace(adapter=None if choice.name == "none" else choice), catalogue)
            own = settings_of("adapter", choice)
            label = ", ".join([arm.label] * (len(arms) > 1) + [label_of(own)])
            settings = {**arm.settings, **own}
            found.append(dataclasses.replace(arm, label=label, settings=settings, recipe=recipe))
    return found


def refuse_nothing_listed(arms: Sequence[Arm], args: CompareArgs) -> None:
    """Refuse a comparison of one arm, unless --seeds or --tune says what it is for.

    Raises:
        UsageError: there is nothing to compare.
    """
    if len(arms) > 1 or len(arms[0].samplers) > 1 or args.no_train or args.tune or args.seeds_given:
        return
    raise UsageError(
        f"A comparison expects a list of two or more, found one arm: {arms[0].label}.",
        "List what to compare, on a stage or an option: engine compare --model gpt,rnn; --optimizer.lr 1e-3,3e-3; "
        "--sampler greedy,top-k. With --seeds 3, one arm shows its spread over seeds.",
        code="nothing-to-compare",
    )


def find_baseline(arms: Sequence[Arm], word: str | None) -> str:
    """Return the label of the baseline: the first arm, the one of that label, or the one that has the word in its label.

    Raises:
        UsageError: no arm has it, or several have.
    """
    labels = [arm.label for arm in arms]
    if word is None:
        return labels[0]
    if word in labels:
        return word
    matching = [label for label in labels if word in label.split(", ")]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UsageError(
            f"--baseline expects one arm, found {len(matching)} with {word!r}.",
            f"Give a whole label: {'; '.join(matching)}.",
            code="ambiguous-arm",
        )
    raise UsageError(
        f"--baseline expects one of the arms, found {word!r}.",
        did_you_mean(word, labels) or f"The arms are: {'; '.join(labels)}.",
        code="unknown-arm",
    )


def _arm_tables(path: Path, request: Request, first: Recipe) -> Tables:
    """Return a recipe file's tables with the text and the budget of the comparison, which are those of the first arm."""
    tables = lay_over(request.tables, read_tables(path, "--arm"), request.catalogue)
    tables["data"] = request.tables["data"]
    for key in SHARED:
        table, _, name = key.partition(".")
        tables.setdefault(table, {})[name] = getattr(getattr(first, table), name)
    for axis in request.axes:  # an option with a single value holds for all arms
        known = axis.table in TABLES or axis.name in _option_names(axis.table, tables, request)
        if len(axis.values) == 1 and known:
            tables[axis.table] = {**tables[axis.table], axis.name: axis.values[0]}
    return tables


def _option_names(stage: str, tables: Tables, request: Request) -> list[str]:
    if stage not in STAGES:
        return []
    return [spec.name for spec in describe(request.catalogue.find(stage, str(tables[stage]["name"])).options)]


def _checked_name(name: str) -> str:
    """Return a report's name.

    Raises:
        UsageError: it cannot name a folder beside those of the runs.
    """
    if name != slug(name) or name in ("runs", "tokenizers"):
        raise UsageError(
            f"--name expects small letters, digits, dots and dashes; found {name!r}.",
            f"For example {slug(name)}-1.",
            code="name-format",
        )
    return name


def name_of(arms: Sequence[Arm], args: CompareArgs) -> str:
    """Return a folder's name that the same comparison always gets, with more seeds too."""
    varied = [*dict.fromkeys(key.partition(".")[2] or key for arm in arms for key in arm.settings)]
    samplers = ["sampler"] if len(arms[0].samplers) > 1 else []
    recipes = []
    for arm in arms:
        tables = arm.recipe.to_dict()
        del tables["training"]["seed"]
        recipes.append([arm.label, tables, [sampler.label for sampler in arm.samplers]])
    kind = [args.no_train, args.baseline, list(args.tune), args.tune_seeds, args.tune_budget]
    digest = hashlib.sha256(json.dumps([recipes, kind], sort_keys=True, default=str).encode()).hexdigest()[:6]
    return f"{slug('-'.join([*varied, *samplers]) or 'arm')}-{digest}"


def tuning_of(args: CompareArgs, study: Study) -> Tuning | None:
    """Return how arms are tuned, checked against every arm.

    Raises:
        UsageError: an arm has no such option, or its values are wrong.
    """
    if not args.tune:
        if args.tune_budget:
            raise UsageError(
                "--tune-budget needs --tune; found none.",
                "Add what to tune: --tune optimizer.lr=x0.3,x1,x3.",
                code="tune-missing",
            )
        return None
    tuning = Tuning(options=[parse(text) for text in args.tune], seeds=args.tune_seeds, budget=args.tune_budget)
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
    """Yield a warning for each arm that cannot spend its budget."""
    for arm in study.arms:
        plan = collect.plan_of(study, arm)
        yield from missed_by_plan(arm.label, plan, arm.recipe.budget()) if plan else ()


def refuse_shared_clock(study: Study, tuning: Tuning | None, executor: TaskExecutor) -> None:
    """Make sure that runs with a budget of time do not share a processor.

    Raises:
        UsageError: several would share it.
    """
    budgets = [study.arms[0].recipe.budget(), *([tuning.amount(study.arms[0])] if tuning else [])]
    if all(budget.unit != "seconds" for budget in budgets) or not _clocks_meet(study, executor):
        return
    threads = ((executor.cores or 0) - 1) // executor.concurrency
    apart = f"Add --threads {threads}, so that one core stays free, or use" if threads else "Use"
    raise UsageError(
        f"A budget of time needs a processor for each run; {executor.concurrency} runs at once would slow each other.",
        f"{apart} --jobs 1, or a budget that sharing does not change: --steps, 50MB, 2e15flops.",
        code="budget-shared",
    )


def _clocks_meet(study: Study, executor: TaskExecutor) -> bool:
    """Say whether runs at once would compute on the same GPU, or on the same core.

    On CPUs alone, a core for each thread is enough, if one more stays free for all else that the machine does.
    """
    if executor.concurrency == 1:
        return False
    import torch

    on_cpu = [arm.recipe.machine.device == "cpu" or not torch.accelerator.is_available() for arm in study.arms]
    if executor.cores is not None and all(on_cpu):
        return threads_at_once(study, executor.concurrency) >= executor.cores
    # Arms that must use the CPU would share it although there may be a GPU for each.
    return executor.shares_devices or (any(on_cpu) and torch.accelerator.is_available())


def threads_at_once(study: Study, jobs: int) -> int:
    """Return how many threads compute at the same time at the most."""
    return jobs * max(arm.recipe.machine.threads or study.threads or available_cores() for arm in study.arms)
