"""A run to start: the form becomes the arguments of `engine run`, which are shown, planned and started as they are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pentad import STAGES, UsageError
from pentad.tools import TABLES, describe
from pentad_cli.tools import default_tables
from pentad_studio.server.studio import Studio
from pentad_studio.sources.fields import Field, field_of, given_options

_TABLES = ("training", "data", "evaluation", "generation", "machine", "reporting")
"""Tables whose options are fields of the form."""

_OWN_FIELDS = {"data": ("sources", "held_out_sources"), "training": ("steps", "budget", "seed")}
"""Options that have a place of their own in the form, or none."""


@dataclass(frozen=True)
class StageChoice:
    """A stage of the form: its word, what can be chosen with a summary each, and what is chosen."""

    stage: str
    choices: list[tuple[str, str]]
    chosen: str


def stage_choices(studio: Studio) -> list[StageChoice]:
    """Return the stages with what is installed."""
    tables = default_tables()
    return [
        StageChoice(
            stage,
            [(offer.name, offer.record.summary) for offer in studio.catalogue.offers(stage)],
            str(tables.get(stage, {}).get("name", "")),
        )
        for stage in STAGES
    ]


def further_fields() -> list[tuple[str, list[Field]]]:
    """Return the fields of the tables beside the stages, by table."""
    return [
        (table, [field_of(spec, table, {}) for spec in describe(TABLES[table]) if spec.name not in _OWN_FIELDS.get(table, ())])
        for table in _TABLES
    ]


def arguments_of(form: Mapping[str, str]) -> list[str]:
    """Return the arguments of `engine run` that a form means, without the folder.

    Raises:
        UsageError: a name holds what no name can.
    """
    arguments = []
    for stage in STAGES:
        name = form.get(stage, "")
        if name:
            arguments.append(f"--{stage}={_line(name)}")
        arguments += [f"--{stage}.{_flag(key)}={_line(value)}" for key, value in given_options(form, stage).items()]
    arguments += [f"--data={_line(source)}" for source in form.get("data", "").splitlines() if source.strip()]
    budget = form.get("budget", "").strip()
    if budget:
        arguments.append(f"--steps={budget}" if budget.isdecimal() else f"--budget={_line(budget)}")
    if form.get("seed", "").strip():
        arguments.append(f"--seed={_line(form['seed'])}")
    if form.get("start", ""):
        arguments.append(f"--start={_line(form['start'])}")
    for table in _TABLES:
        arguments += [f"--{table}.{_flag(key)}={_line(value)}" for key, value in given_options(form, table).items()]
    return arguments


def _line(value: str) -> str:
    value = value.strip()
    if "\0" in value or "\n" in value:
        raise UsageError("An option is one line of text.", "Write it on one line.", code="form-unreadable")
    return value


def _flag(key: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", key):
        raise UsageError(f"No option is called {key!r}.", "Use the page's own form.", code="unknown-option")
    return key.replace("_", "-") if "__" not in key else key.replace("__", ".").replace("_", "-")


def command_of(arguments: list[str], out: str = "") -> str:
    """Return the command as it is typed."""
    typed = ["engine", "run", *arguments, *([f"--out={out}"] if out else [])]
    return " ".join(_quoted(word) for word in typed)


def _quoted(word: str) -> str:
    flag, equals, value = word.partition("=")
    return (
        f"{flag} {shlex.quote(value)}" if equals and flag.startswith("--") and not value.startswith("-") else shlex.quote(word)
    )


def name_of(studio: Studio, form: Mapping[str, str]) -> str:
    """Return the name of the new run's folder: the form's, or one of date, time and model.

    Raises:
        UsageError: it is no name of a folder, or is taken.
    """
    name = form.get("name", "").strip()
    if not name:
        model = re.sub(r"[^a-z0-9-]+", "-", form.get("model", "") or "run")
        return f"{datetime.now():%Y%m%d-%H%M%S}-{model}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise UsageError(
            f"A run's name has letters, digits, dots and dashes; found {name!r}.", "Choose another name.", code="run-name"
        )
    if (studio.runs / name).exists():
        raise UsageError(f"{studio.runs / name} is there already.", "Choose another name.", code="folder-taken")
    return name
