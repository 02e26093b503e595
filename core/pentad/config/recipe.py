"""A recipe: every choice that makes a run, and nothing else.

It has one form everywhere: a TOML file with a table per stage (`[model] name = "gpt", n_layer = 6`) and the tables `[data]`,
`[training]` and `[generation]`; the flags of `engine run`; and this class in Python. A resolved recipe spells out every
option, so that a later change of a default does not change what it means.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from pentad.config.budget import Budget
from pentad.config.options import option, parse, to_dict
from pentad.config.stages import STAGES
from pentad.system.errors import UsageError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """The text: the table `[data]`."""

    sources: tuple[str, ...] = option((), "Names of corpora, files, folders or globs.")
    held_out: float = option(0.1, "Share of the text's bytes that is kept from training, to judge on.", ge=0, lt=1)
    held_out_sources: tuple[str, ...] = option((), "Text to judge on instead of a share of the sources.")
    validation: float = option(
        0.0, "Share of the training text to judge on in place of the held-out text, while settings are tuned.", ge=0, lt=1
    )
    drop_duplicates: bool = option(False, "Leave out documents that repeat an earlier one to the letter.")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How the parameters are estimated: the table `[training]`."""

    steps: int | None = option(None, "Optimizer steps; none means that the budget decides.", ge=1)
    budget: str | None = option(
        "150s", "When to stop, if not by steps: training time (90s, 5m, 2h), 2e15flops, or 50MB of text."
    )
    seed: int = option(0, "Decides the initial parameters, the order of examples and every draw.", ge=0, lt=2**63)
    batch_size: int = option(8, "Examples per step, over all micro-batches and processes.", ge=1, le=1_000_000)
    context_length: int = option(128, "Tokens per example.", ge=1)
    accumulation: int = option(1, "Micro-batches into which a step is cut, to save memory.", ge=1)
    grad_clip: float = option(1.0, "Largest norm of the gradient; 0 leaves it as it is.", ge=0)
    device: str = option("auto", "Where to compute.", choices=("auto", "cpu", "cuda", "mps"))
    precision: str = option(
        "auto", "Number format of the matrix products; auto takes bf16 only where it is fast.", choices=("auto", "fp32", "bf16")
    )
    compile: str = option(
        "auto",
        "Compile the model; auto does so where the run is long enough to win the time back.",
        choices=("auto", "on", "off"),
    )
    threads: int | None = option(None, "CPU threads; none means one per core.", ge=1, le=1024)
    log_every: int = option(10, "Steps between lines in metrics.jsonl.", ge=1)
    evaluate_every: float = option(
        0.1, "Share of the run between looks at the held-out text; 0 looks at the end only.", ge=0, le=1
    )
    sample_every: float = option(0.25, "Share of the run between sampled texts; 0 samples at the end only.", ge=0, le=1)
    checkpoint_seconds: float = option(60.0, "Seconds between checkpoints; 0 saves at the end only.", ge=0)
    keep_checkpoints: int = option(2, "How many of the newest checkpoints to keep.", ge=1)


@dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """The texts that a run samples: the table `[generation]`."""

    prompt: str = option("", "Text to go on from; empty means the start of a document.")
    max_tokens: int = option(120, "Most tokens to generate.", ge=1, le=10_000_000)
    samples: int = option(1, "How many texts, generated side by side.", ge=1, le=10_000)


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
class Recipe:
    """The choices of a run.

        Recipe(tokenizer="bpe", builder="next-token", model=Choice("gpt", n_layer=6), optimizer="muon", sampler="top-k",
               data="my.txt", training={"steps": 500})

    Args:
        tokenizer, builder, model, optimizer, sampler: a name or a `Choice`.
        data: a path or name, a list of them, a mapping or `DataOptions`.
        training, generation: a mapping or the options object.

    Raises:
        UsageError: an option of data, training or generation is unknown or out of bounds.
    """

    tokenizer: Choice | str
    builder: Choice | str
    model: Choice | str
    optimizer: Choice | str
    sampler: Choice | str
    data: DataOptions | Mapping[str, Any] | Sequence[str] | str | Path
    training: TrainingOptions | Mapping[str, Any] = field(default_factory=TrainingOptions)
    generation: GenerationOptions | Mapping[str, Any] = field(default_factory=GenerationOptions)

    def __post_init__(self) -> None:
        """Bring every field into its one form."""
        for stage in STAGES:
            choice = getattr(self, stage)
            object.__setattr__(self, stage, Choice(choice) if isinstance(choice, str) else choice)
        data: Any = self.data
        if isinstance(data, (str, os.PathLike)):
            data = {"sources": (os.fspath(data),)}
        elif not isinstance(data, (Mapping, DataOptions)):
            data = {"sources": tuple(os.fspath(source) for source in data)}
        object.__setattr__(self, "data", _table(DataOptions, data, "data"))
        object.__setattr__(self, "training", _table(TrainingOptions, self.training, "training"))
        object.__setattr__(self, "generation", _table(GenerationOptions, self.generation, "generation"))

    def choice(self, stage: str) -> Choice:
        """Return what was chosen for a stage."""
        choice = getattr(self, stage)
        assert isinstance(choice, Choice)
        return choice

    def data_options(self) -> DataOptions:
        """Return the table `[data]`."""
        assert isinstance(self.data, DataOptions)
        return self.data

    def training_options(self) -> TrainingOptions:
        """Return the table `[training]`."""
        assert isinstance(self.training, TrainingOptions)
        return self.training

    def generation_options(self) -> GenerationOptions:
        """Return the table `[generation]`."""
        assert isinstance(self.generation, GenerationOptions)
        return self.generation

    def budget(self) -> Budget:
        """Return when the training stops.

        Raises:
            UsageError: neither steps nor a readable budget is given.
        """
        training = self.training_options()
        if training.steps is not None:
            return Budget("steps", training.steps)
        if training.budget is None:
            raise UsageError(
                "A run needs --steps or --budget, found neither.", "For example --budget 90s.", code="steps-missing"
            )
        return Budget.parse(training.budget)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return the tables as plain values."""
        tables: dict[str, dict[str, Any]] = {
            stage: {"name": self.choice(stage).name, **self.choice(stage).options} for stage in STAGES
        }
        for table in ("data", "training", "generation"):
            tables[table] = to_dict(getattr(self, table))
        return tables

    @classmethod
    def from_dict(cls, tables: Mapping[str, Mapping[str, Any]], where: str = "The recipe") -> Recipe:
        """Make a recipe from its tables.

        Raises:
            UsageError: a table is missing, unknown or malformed; an option of data, training or generation is wrong.
        """
        known = [field.name for field in dataclasses.fields(cls)]
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
        arguments: dict[str, Any] = {name: tables[name] for name in ("data", "training", "generation") if name in tables}
        for stage in STAGES:
            table = dict(tables.get(stage, {}))
            name = table.pop("name", None)
            if not isinstance(name, str):
                raise UsageError(
                    f"{where} names no {stage}.", f'Add [{stage}] with name = "…", or say --{stage} NAME.', code="stage-missing"
                )
            arguments[stage] = Choice(name, **{key.replace("-", "_"): value for key, value in table.items()})
        arguments.setdefault("data", {})
        return cls(**arguments)

    def to_toml(self) -> str:
        """Return the recipe as the text of a TOML file that `read_tables` reads. TOML has no null, so None is "none"."""
        tables = {
            name: {key: "none" if value is None else value for key, value in table.items()}
            for name, table in self.to_dict().items()
        }
        return tomli_w.dumps(tables)


def read_tables(path: Path, flag: str = "--config") -> dict[str, dict[str, Any]]:
    """Read the tables of a recipe file, checked only as far as TOML goes; `flag` is how the user named it.

    Raises:
        UsageError: there is no such file, or it is no TOML; names the line.
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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is not valid TOML: {error}.", "engine run --print-config shows a valid recipe.", code="recipe-syntax"
        ) from None


def _table(table_type: type[Table], value: Any, where: str) -> Table:
    return value if isinstance(value, table_type) else parse(table_type, value, where)
