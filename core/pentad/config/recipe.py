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
from pentad.config.options import PART, describe, parse, to_dict
from pentad.config.stages import STAGES
from pentad.config.tables import (
    ADAPTER,
    TABLES,
    DataOptions,
    EvaluationOptions,
    GenerationOptions,
    MachineOptions,
    ReportingOptions,
    StartOptions,
    TrainingOptions,
)
from pentad.system.errors import UsageError, did_you_mean

Table = TypeVar("Table")


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
