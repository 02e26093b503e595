"""The command line of `engine compare` as values, between its flags (`command`) and the comparison (`session`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pentad import Catalogue, TaskExecutor
from pentad.tools import Offer
from pentad_cli.tools import SpecOption, Tables
from pentad_compare.arms import Axis


@dataclass
class Request:
    """The recipe and the lists of a command line, before the arms are made.

    Args:
        catalogue: what is installed, and the files of --plugin.
        plugins: these files.
        tables: the recipe below all lists.
        names: stage to the implementations that are listed.
        named: the stages that the user named.
        executor, executor_options: where the runs go.
        params: the flags that the choices bring.
        axes: the options with their lists of values.
        arguments: the command line itself.
    """

    catalogue: Catalogue
    plugins: tuple[Path, ...]
    tables: Tables
    names: Mapping[str, Sequence[str]]
    named: tuple[str, ...]
    executor: Offer[Any]
    params: list[SpecOption] = field(default_factory=list)
    axes: list[Axis] = field(default_factory=list)
    executor_options: Any = None
    arguments: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class CompareArgs:
    """The flags of the command; `seeds_given` says whether --seeds was given."""

    request: Request
    arm: Sequence[Path]
    start: Path | None
    adapter: str
    baseline: str | None
    seeds: int
    seeds_given: bool
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
    figures: Path | None
    dry_run: bool
    as_json: bool

    def executor(self) -> TaskExecutor:
        """Make the executor."""
        executor: TaskExecutor = self.request.executor.make(self.request.executor_options, jobs=self.jobs)
        return executor
