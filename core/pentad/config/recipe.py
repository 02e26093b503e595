"""A recipe: every choice that makes a run, and nothing else.

It has one form everywhere: a TOML file with a table per stage (`[model] name = "gpt", n_layer = 6`) and the tables of `TABLES`
(`[data]`, `[training]`, …); the flags of `engine run`; and this class in Python. A resolved recipe spells out every option, so
that a later change of a default does not change what it means.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pentad.config.budget import Budget
from pentad.config.defaults import default_tables, name_missing
from pentad.config.options import PART, describe, option, parse, to_dict
from pentad.config.stages import STAGES
from pentad.system.errors import ARGUMENTS, UsageError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """The text: the table `[data]`."""

    sources: tuple[str, ...] = option(
        (), "Corpora, files, folders or globs, with options behind (NAME,option=value); - reads what is piped in."
    )
    include: tuple[str, ...] = option((), 'More files of folders and globs to read, by patterns such as "*.log".')
    exclude: tuple[str, ...] = option((), 'Files and folders below folders to leave out, by patterns: "*.md", "tests".')
    strict: bool = option(False, "Refuse a folder that holds an unreadable file, instead of skipping the file.")
    encoding: str = option(
        "auto", "How the bytes of text files are read: utf-8, latin-1, …; auto is UTF-8, or what a byte order mark says."
    )
    text_key: str = option("", "Key of JSON lines, or column of .csv and .tsv files, that holds the text.")
    held_out: float = option(0.1, "Share of the text's bytes that is held out of training, for evaluation.", ge=0, lt=1)
    held_out_sources: tuple[str, ...] = option((), "Text for evaluation, instead of a share of the sources.")
    validation: float = option(
        0.0, "Share of the training text to evaluate on in place of the held-out text, while settings are tuned.", ge=0, lt=1
    )
    drop_duplicates: bool = option(False, "Leave out documents that repeat an earlier one exactly.")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What decides the trained model, beside the text and the stages: the table `[training]`."""

    steps: int | None = option(None, "Optimizer steps; none means that the budget decides.", ge=1)
    budget: str | None = option(
        "150s", "When to stop, if not by steps: training time (90s, 5m, 2h), 2e15flops, 50MB of text, or 3epochs."
    )
    seed: int = option(0, "Seed of the initial parameters, the order of examples and every random draw.", ge=0, lt=2**63)
    batch_size: int = option(
        8,
        "Examples per step, over all micro-batches and processes. Left open, a budget of time or arithmetic decides.",
        ge=1,
        le=1_000_000,
    )
    context_length: int = option(128, "Tokens per example. Left open, a budget of time or arithmetic decides.", ge=1)
    gradient_accumulation: int = option(1, "Micro-batches per step; more need less memory.", ge=1)
    max_epochs: float | None = option(None, "Most passes over the text, where the budget buys more; none: no limit.", gt=0)
    grad_clip: float = option(1.0, "Clip the gradient norm to this; 0 disables.", ge=0)


@dataclass(frozen=True, kw_only=True)
class MachineOptions:
    """How to compute: the table `[machine]`. All but `recompute` change the rounding, and so can change the result a little."""

    device: str = option("auto", "Device to compute on.", choices=("auto", "cpu", "cuda", "mps"))
    precision: str = option(
        "auto", "Number format of products; auto: the faster, as measured.", choices=("auto", "fp32", "bf16")
    )
    compile: str = option(
        "auto", "Compile the model; auto does so where the run is long enough to save time.", choices=("auto", "on", "off")
    )
    kernels: tuple[str, ...] = option((), "Ways to compute, by name (attention=products); others are measured, or auto.")
    threads: int | None = option(None, "CPU threads; none means one per core, or fewer where that is faster.", ge=1, le=1024)
    recompute: bool = option(False, "Compute blocks again in the backward pass: less memory, more time.", affects_result=False)


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """When the model is scored: the table `[evaluation]`. It decides which scores there are, so it is part of the result."""

    evaluate_every: float = option(
        0.1, "Share of the run between evaluations on the held-out text; 0 evaluates at the end only.", ge=0, le=1
    )


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """The texts that a run samples: the table `[generation]`. Their random numbers are not those of the training."""

    prompt: str = option("", "Text to continue; empty means the start of a document.", affects_result=False)
    max_tokens: int = option(120, "Maximum new tokens.", ge=1, le=10_000_000, affects_result=False)
    samples: int = option(1, "Number of texts, generated as one batch.", ge=1, le=10_000, affects_result=False)
    sample_every: float = option(
        0.25, "Share of the run between sampled texts; 0 samples at the end only.", ge=0, le=1, affects_result=False
    )


@dataclass(frozen=True, kw_only=True)
class ReportingOptions:
    """What a run writes while it trains: the table `[reporting]`."""

    log_every: int = option(10, "Steps between lines in metrics.jsonl.", ge=1, affects_result=False)
    checkpoint_seconds: float = option(
        60.0, "Seconds between checkpoints; 0 saves at the end only.", ge=0, affects_result=False
    )
    keep_checkpoints: int = option(2, "Number of newest checkpoints to keep.", ge=1, affects_result=False)


@dataclass(frozen=True, kw_only=True)
class StartOptions:
    """The run that this one starts from: the table `[start]`, which most recipes do not have."""

    run: str | None = option(None, "Folder of a run to start from, with its tokenizer, its model and its weights.")


TABLES: Mapping[str, type[Any]] = {
    "data": DataOptions,
    "training": TrainingOptions,
    "machine": MachineOptions,
    "evaluation": EvaluationOptions,
    "generation": GenerationOptions,
    "reporting": ReportingOptions,
    "start": StartOptions,
}
"""The tables beside those of the stages, and the options that each holds."""

ADAPTER = "adapter"
"""The table of what changes a model, which most recipes do not have; like a stage's it has a name and options."""

Table = TypeVar("Table")

ARGUMENTS.update({f"--{stage}": f"{stage}={{}}" for stage in (*STAGES, ADAPTER)})
ARGUMENTS.update(
    {f"--{spec.flag}": f'{name}={{{{"{spec.name}": {{}}}}}}' for name, table in TABLES.items() for spec in describe(table)}
)
ARGUMENTS.update({"--data": "data={}", "--start": "start={}", "--held-out-data": 'data={{"held_out_sources": {}}}'})


class Choice:
    """An implementation by name, with the options that differ from its defaults: `Choice("gpt", n_layer=6)`."""

    def __init__(self, name: str, /, **options: Any) -> None:
        self.name = name
        self.options: dict[str, Any] = options

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and (self.name, self.options) == (other.name, other.options)

    def __hash__(self) -> int:
        return hash((self.name, tuple(sorted(self.options))))

    def __repr__(self) -> str:
        return f"Choice({', '.join([repr(self.name), *(f'{key}={value!r}' for key, value in self.options.items())])})"


@dataclass(frozen=True, kw_only=True)
class _Tables:
    """The fields of a recipe, each in its one form."""

    tokenizer: Choice
    builder: Choice
    model: Choice
    optimizer: Choice
    sampler: Choice
    adapter: Choice | None
    data: DataOptions
    training: TrainingOptions
    machine: MachineOptions
    evaluation: EvaluationOptions
    generation: GenerationOptions
    reporting: ReportingOptions
    start: StartOptions


class Recipe(_Tables):
    """The choices of a run; immutable.

        Recipe(data="my.txt", model=Choice("gpt", n_layer=6), training={"steps": 500})

    What is left out is as for `engine run`: the defaults come from the installed front end, the command line, and lie in one
    place. Each argument may be given in any of its spellings; the attribute of its name always holds a `Choice` for a stage,
    and the options object for a table.

    Args:
        tokenizer, builder, model, optimizer, sampler: a name or a `Choice`; None for the default.
        adapter: likewise, of what changes the model of the run to start from; None for no change.
        data: a path or name, a list of them, a mapping or `DataOptions`; None for the default corpus.
        training, machine, evaluation, generation, reporting: a mapping or the options object.
        start: the folder of a run to start from, a mapping or `StartOptions`; its tokenizer and model are then the default.

    Raises:
        UsageError: an option of a table is unknown or out of bounds, or a stage is left out and no front end is installed.
    """

    def __init__(
        self,
        *,
        tokenizer: Choice | str | None = None,
        builder: Choice | str | None = None,
        model: Choice | str | None = None,
        optimizer: Choice | str | None = None,
        sampler: Choice | str | None = None,
        data: DataOptions | Mapping[str, Any] | Sequence[str | Path] | str | Path | None = None,
        training: TrainingOptions | Mapping[str, Any] | None = None,
        machine: MachineOptions | Mapping[str, Any] | None = None,
        evaluation: EvaluationOptions | Mapping[str, Any] | None = None,
        generation: GenerationOptions | Mapping[str, Any] | None = None,
        reporting: ReportingOptions | Mapping[str, Any] | None = None,
        start: StartOptions | Mapping[str, Any] | str | Path | None = None,
        adapter: Choice | str | None = None,
    ) -> None:
        start = _table(StartOptions, {"run": os.fspath(start)} if isinstance(start, (str, Path)) else start, "start", {})
        stages = {"tokenizer": tokenizer, "builder": builder, "model": model, "optimizer": optimizer, "sampler": sampler}
        tables = (data, training, machine, evaluation, generation, reporting)
        is_open = any(value is None or isinstance(value, Mapping) for value in (*stages.values(), *tables))
        below = default_tables(start.run) if is_open else {}
        chosen = {stage: _below(stage, below) if choice is None else _choice(choice) for stage, choice in stages.items()}
        name_missing(chosen)
        super().__init__(
            **{stage: choice for stage, choice in chosen.items() if choice is not None},
            adapter=None if adapter is None else _choice(adapter),
            data=_table(DataOptions, _sources(data), "data", below),
            training=_table(TrainingOptions, training, "training", below),
            machine=_table(MachineOptions, machine, "machine", below),
            evaluation=_table(EvaluationOptions, evaluation, "evaluation", below),
            generation=_table(GenerationOptions, generation, "generation", below),
            reporting=_table(ReportingOptions, reporting, "reporting", below),
            start=start,
        )

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some arguments changed, in any of their spellings: `recipe.replace(model="rnn")`.

        Raises:
            UsageError: as for the class.
        """
        return dataclasses.replace(self, **changes)

    def choice(self, stage: str) -> Choice:
        """Return what was chosen for a stage, for loops over the stages.

        Raises:
            KeyError: there is no such stage.
        """
        return self.choices()[stage]

    def choices(self) -> dict[str, Choice]:
        """Return what was chosen for each stage, and for the adapter where there is one."""
        stages = {
            "tokenizer": self.tokenizer,
            "builder": self.builder,
            "model": self.model,
            "optimizer": self.optimizer,
            "sampler": self.sampler,
        }
        return stages if self.adapter is None else {**stages, ADAPTER: self.adapter}

    def budget(self) -> Budget:
        """Return when the training stops.

        Raises:
            UsageError: neither steps nor a readable budget is given.
        """
        training = self.training
        if training.steps is not None:
            return Budget("steps", training.steps)
        if training.budget is None:
            raise UsageError(
                "A run needs --steps or --budget, found neither.", "For example --budget 90s.", code="steps-missing"
            )
        return Budget.parse(training.budget)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return the tables as plain values; `[start]` where the run starts from another."""
        tables: dict[str, dict[str, Any]] = {
            stage: {"name": choice.name, **choice.options} for stage, choice in self.choices().items()
        }
        tables |= {table: to_dict(getattr(self, table)) for table in TABLES if table != "start" or self.start.run is not None}
        return tables

    @classmethod
    def from_dict(cls, tables: Mapping[str, Mapping[str, Any]], where: str = "The recipe") -> Recipe:
        """Make a recipe from its tables.

        Raises:
            UsageError: a table is missing, unknown or malformed; an option of a table is wrong.
        """
        known = [*STAGES, ADAPTER, *TABLES]
        for name, table in tables.items():
            if name not in known:
                raise UsageError(
                    f"{where} has an unknown table [{name}].",
                    did_you_mean(name, known) or f"Known: {', '.join(known)}.",
                    code="unknown-table",
                )
            if not isinstance(table, Mapping):
                raise UsageError(
                    f"{where}: {name} must be a table, found {table!r}.",
                    f'Write [{name}] and below it name = "…".',
                    code="table-type",
                )
        # A file says all that it means: no default of today fills in what it leaves out.
        arguments: dict[str, Any] = {name: _table(TABLES[name], tables.get(name), name, {}) for name in TABLES}
        for stage in (*STAGES, *([ADAPTER] if ADAPTER in tables else [])):
            table = dict(tables.get(stage, {}))
            name = table.pop("name", None)
            if not isinstance(name, str):
                raise UsageError(
                    f"{where} names no {stage}.", f'Add [{stage}] with name = "…", or use --{stage} NAME.', code="stage-missing"
                )
            arguments[stage] = Choice(name, **flat(table))
        return cls(**arguments)

    def to_toml(self) -> str:
        """Return the recipe as the text of a TOML file that `read_tables` reads."""
        return to_toml(self.to_dict())


def to_toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the tables of a recipe as TOML, which has no null, so that None is "none"."""
    named = {
        name: _nested({key: "none" if value is None else value for key, value in table.items()})
        for name, table in tables.items()
    }
    import tomli_w  # commands that only read recipes start faster without it

    return tomli_w.dumps(named)


def flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stage's table with the options of a chain's parts in one row: `top-k.k = 5` becomes `top_k__k`."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_").replace(".", PART)
        found |= {f"{name}{PART}{part}": inner for part, inner in flat(value).items()} if isinstance(value, Mapping) else {}
        if not isinstance(value, Mapping):
            found[name] = value
    return found


def _nested(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table as TOML shows it: the options of a chain's parts in tables of their own."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        part, between, name = key.partition(PART)
        if between:
            found.setdefault(part, {})[name] = value
        else:
            found[key] = value
    return found


def read_tables(path: Path, flag: str = "--config") -> dict[str, dict[str, Any]]:
    """Read the tables of a recipe file, checked only as far as TOML goes; `flag` is how the user named it.

    Raises:
        UsageError: there is no such file, or it is not TOML; names the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{flag} expects a recipe file, found none at {path}.", "Check the path.", code="file-missing"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{flag} {path} cannot be read: {error.strerror}.", "Check the path and its rights.", code="file-unreadable"
        ) from None
    except RecursionError:
        raise UsageError(
            f"{path} is not a recipe: it is nested too deeply.",
            "engine run --print-config shows a valid one.",
            code="recipe-syntax",
        ) from None
    except ValueError as error:  # of TOML, of UTF-8, or of a number with thousands of digits
        raise UsageError(
            f"{path} is not valid TOML: {error}.", "engine run --print-config shows a valid recipe.", code="recipe-syntax"
        ) from None


def _choice(value: Choice | str) -> Choice:
    return Choice(value) if isinstance(value, str) else value


def _below(stage: str, below: Mapping[str, Mapping[str, Any]]) -> Choice | None:
    """Return the default of a stage, where there is one."""
    table = dict(below.get(stage, {}))
    name = table.pop("name", None)
    return None if name is None else Choice(name, **flat(table))


def _sources(value: Any) -> Any:
    """Return the text in the form of its table, where it was given as names alone."""
    if value is None or isinstance(value, (DataOptions, Mapping)):
        return value
    sources = (value,) if isinstance(value, (str, os.PathLike)) else value
    return {"sources": tuple(os.fspath(source) for source in sources)}


def _table(
    table_type: type[Table], value: Table | Mapping[str, Any] | None, where: str, below: Mapping[str, Mapping[str, Any]]
) -> Table:
    """Return the options of a table; what a mapping leaves out is as in the table `below`."""
    if isinstance(value, table_type):
        return value
    if value is None and where not in below:
        return table_type()
    value = {} if value is None else value
    if not isinstance(value, Mapping):
        raise UsageError(
            f"{where} expects a mapping of options or {table_type.__name__}, found {value!r}.",
            "Its options are name = value pairs.",
            code="table-type",
        )
    _refuse_misplaced(value, where)
    given = {key.replace("-", "_"): each for key, each in value.items()}
    return parse(table_type, {**below.get(where, {}), **given}, where)


def _refuse_misplaced(values: Mapping[str, Any], where: str) -> None:
    """Say which table an option belongs to, where it is not the one in which it was found."""
    names = {table: [spec.name for spec in describe(options)] for table, options in TABLES.items()}
    for key in values:
        name = key.replace("-", "_")
        right = [table for table in TABLES if name in names[table]]
        if right and where not in right:
            raise UsageError(f"{where} has no option {name!r}.", f"It belongs to [{right[0]}].", code="unknown-option")
