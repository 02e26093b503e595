"""What is said of each chosen run: how far it is, how fast, how long it will take, and how to have it again."""

from __future__ import annotations

import contextlib
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pentad import EngineError
from pentad.tools import Budget, read_json, read_tables
from pentad_studio.runs.following import Figures
from pentad_studio.runs.listing import Summary
from pentad_studio.server.studio import Studio

_RECENT = 20
"""Logged steps whose speed tells how long the rest takes."""

_NOT_THE_SEED = ("machine", "reporting", "generation", "start")
"""Tables that are left out where runs are looked at that differ in their seed alone."""


@dataclass(frozen=True)
class Card:
    """A chosen run.

    Args:
        summary: as in the list.
        figures: name and value in words.
        share: how much of its budget is used; None where that is unknown.
        remaining: seconds of training left; None where that is unknown.
        speed: tokens a second.
        recipe, resume: the commands that train it again, and on.
        here: whether the studio trains it.
        words: what it said at its end, where that was a failure.
    """

    summary: Summary
    figures: Sequence[tuple[str, str]]
    share: float | None
    remaining: float | None
    speed: float | None
    recipe: str
    resume: str
    here: bool
    words: str = ""


def card_of(studio: Studio, summary: Summary, figures: Figures) -> Card:
    """Return what is said of a run."""
    path = studio.runs / summary.name
    facts, tables = _facts(studio, summary.name)
    share = share_of(facts, tables, figures)
    speed = figures.last("tokens_per_second")
    job = studio.jobs.get(summary.name)
    return Card(
        summary=summary,
        figures=_figures(figures, summary, speed),
        share=1.0 if summary.state == "done" else share,
        remaining=remaining_of(tables, share, figures),
        speed=speed,
        recipe=f"engine run --config {shlex.quote(str(path / 'recipe.toml'))} --out {shlex.quote(f'{path}-again')}",
        resume=f"engine resume {shlex.quote(str(path))}",
        here=job is not None and job.running,
        words=job.last_words() if job is not None and job.failed else "",
    )


def _figures(figures: Figures, summary: Summary, speed: float | None) -> list[tuple[str, str]]:
    loss, norm = figures.last("loss"), figures.last("grad_norm")
    shown = [
        (summary.scored or "score", None if summary.score is None else f"{summary.score:.3f}"),
        ("step", f"{summary.step:,}"),
        ("loss", None if loss is None else f"{loss:.3f}"),
        ("gradient norm", None if norm is None else f"{norm:.2f}"),
        ("tokens a second", None if speed is None else f"{speed:,.0f}"),
    ]
    return [(name, value) for name, value in shown if value is not None]


def _facts(studio: Studio, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return engine.json and recipe.toml as far as they can be read, read once."""

    def read() -> tuple[dict[str, Any], dict[str, Any]]:
        path = studio.runs / name
        try:
            return read_json(path / "engine.json"), dict(read_tables(path / "recipe.toml"))
        except EngineError:
            return {}, {}

    try:
        mark = (studio.runs / name / "recipe.toml").stat().st_mtime_ns
    except OSError:
        mark = 0
    return studio.records.get((name, mark), read)


def remaining_of(tables: Mapping[str, Any], share: float | None, figures: Figures) -> float | None:
    """Return the seconds of training that are left, by the speed of the last steps: the first may have waited for a compiler.

    Args:
        tables: of recipe.toml.
        share: how much of the budget is used.
        figures: what it has logged.
    """
    seconds, step = figures.last("seconds"), figures.last("step")
    if share is None or seconds is None or step is None or not 0 < share < 1:
        return None
    budget = tables.get("training", {}).get("budget")
    with contextlib.suppress(EngineError):
        if isinstance(budget, str) and Budget.parse(budget).unit == "seconds":
            return seconds * (1 / share - 1)
    steps, times = figures.column("step")[-_RECENT:], figures.column("seconds")[-_RECENT:]
    known = np.isfinite(steps) & np.isfinite(times)
    passed = np.ptp(steps[known]) if known.any() else 0
    return float(np.ptp(times[known]) / passed * step * (1 / share - 1)) if passed else None


def share_of(facts: Mapping[str, Any], tables: Mapping[str, Any], figures: Figures) -> float | None:
    """Return how much of a run's budget is used, as far as its files tell it.

    Args:
        facts: of engine.json.
        tables: of recipe.toml.
        figures: what it has logged.
    """
    training = tables.get("training", {})
    step, seconds, tokens = (figures.last(name) for name in ("step", "seconds", "tokens"))
    steps, budget = (training.get(name) for name in ("steps", "budget"))
    if isinstance(steps, int) and not isinstance(steps, bool) and steps > 0:
        return min((step or 0) / steps, 1.0)
    if not isinstance(budget, str) or budget.lower() == "none":
        return None
    try:
        wanted = Budget.parse(budget)
    except EngineError:
        return None
    cost = facts.get("estimate", {})
    per_token = [judged for judged in figures.judged if math.isfinite(judged.factor)]
    n_bytes = None if tokens is None or not per_token else tokens / (per_token[-1].factor * math.log(2))
    train_bytes = facts.get("data", {}).get("train_bytes")
    used: dict[str, float | None] = {
        "seconds": seconds,
        "steps": step,
        "flops": None if step is None else step * float(cost.get("flops_per_step", math.nan)),
        "bytes": n_bytes,
        "epochs": n_bytes / train_bytes if n_bytes and train_bytes else None,
    }
    amount = used[wanted.unit]
    return None if amount is None or not math.isfinite(amount) else max(0.0, min(amount / wanted.amount, 1.0))


def groups_of(studio: Studio, names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return runs in groups, each with its label: together are those that differ in their seed alone."""
    found: dict[str, list[str]] = {}
    for name in names:
        _, tables = _facts(studio, name)
        kept = {table: values for table, values in tables.items() if table not in _NOT_THE_SEED}
        if isinstance(kept.get("training"), dict):
            kept["training"] = {key: value for key, value in kept["training"].items() if key != "seed"}
        key = json.dumps(kept, sort_keys=True, default=str) if kept else name
        found.setdefault(key, []).append(name)
    return [
        (members[0] if len(members) == 1 else f"{members[0]} and {len(members) - 1} more", members)
        for members in found.values()
    ]
