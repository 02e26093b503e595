"""The command line of `engine compare` as values, between its flags (`command`) and the comparison (`session`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pentad import Catalogue, Choice, TaskExecutor, UsageError
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
        names: stage to the implementations that are listed, each with the options that stand behind its name.
        named: the stages that the user named.
        executor, executor_options: where the runs go.
        params: the flags that the choices bring.
        axes: the options with their lists of values.
        arguments: the command line itself.
    """

    catalogue: Catalogue
    plugins: tuple[Path, ...]
    tables: Tables
    names: Mapping[str, Sequence[Choice]]
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
    start: Sequence[str]
    adapter: Sequence[str]
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


def once(choices: Sequence[Choice]) -> list[str]:
    """Return the names of a list, each once."""
    return list(dict.fromkeys(choice.name for choice in choices))


_OPTION = re.compile(r"[a-zA-Z][\w.-]*=")


def listed(texts: Sequence[str], flag: str) -> tuple[Choice, ...]:
    """Read lists of names; what has the form `option=value` belongs to the name before it. A name that is there twice stays.

    >>> listed(["gpt,rnn,cell=gru", "rnn"], "--model")
    (Choice('gpt'), Choice('rnn', cell='gru'), Choice('rnn'))

    Raises:
        UsageError: there is no name, or none before an option.
    """
    choices: list[Choice] = []
    for text in texts:
        own: list[Choice] = []
        for part in filter(None, (part.strip() for part in text.split(","))):
            if not _OPTION.match(part):
                own.append(Choice(part))
            elif own:
                name, _, value = part.partition("=")
                options, name = own[-1].options, name.strip().replace("-", "_")
                options[name] = f"{options[name]},{value}" if name in options else value
            else:
                raise UsageError(
                    f"{flag} expects a name before the option {part!r}, found none.",
                    f"Write {flag} NAME,{part}.",
                    code="value-missing",
                )
        choices += own
    if not choices:
        raise UsageError(
            f"{flag} expects a name or a list of names, found nothing.", "engine plugins lists them.", code="value-missing"
        )
    return tuple(choices)
