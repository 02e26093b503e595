"""Recipes from layers: default.toml at the bottom, then --config, then the flags.

A layer that names another implementation of a stage than the one below it starts that stage afresh: options belong to the
implementation for which they were written.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pentad.config.recipe import flat
from pentad.config.stages import STAGES
from pentad.config.tables import ADAPTER
from pentad.registry.catalogue import Catalogue
from pentad.system.errors import UsageError

Tables = dict[str, dict[str, Any]]
"""The tables of a recipe by name, each with its keys in snake case and its values as a file or a flag gave them."""

_LISTS = ("sources", "held_out_sources")
"""What is a list in `[data]`; a single word is a list of one, whatever commas are in it."""


def default_tables() -> Tables:
    """Return what holds where the user says nothing."""
    # importlib.resources would bring tempfile, random and zip files to every completion.
    return tomllib.loads(Path(__file__).with_name("default.toml").read_text(encoding="utf-8"))


def lay_over(lower: Mapping[str, Any], upper: Mapping[str, Any], catalogue: Catalogue) -> Tables:
    """Return the tables of two layers as one; neither is changed.

    Raises:
        UsageError: something in the upper layer is no table.
    """
    merged = {name: dict(table) for name, table in lower.items()}
    for name, table in upper.items():
        if not isinstance(table, Mapping):
            raise UsageError(
                f"A recipe holds tables, found {name} = {table!r}.", f"Write [{name}] and its keys below it.", code="table-type"
            )
        below = merged.get(name, {})
        values = flat(table) if name in STAGES else {key.replace("-", "_"): value for key, value in table.items()}
        if name in (*STAGES, ADAPTER):
            below = below if _same(name, below.get("name"), values.get("name"), catalogue) else {}
        if name == "training":
            values = _one_end(values)
        if name == "data":
            values = {key: [value] if key in _LISTS and isinstance(value, str) else value for key, value in values.items()}
        merged[name] = {**below, **values}
    return merged


def _same(stage: str, lower: Any, upper: Any, catalogue: Catalogue) -> bool:
    """Say whether two names mean one implementation; a layer without a name means the one below it."""
    if upper is None or upper == lower:
        return True
    try:
        return catalogue.find(stage, str(lower)).full_name == catalogue.find(stage, str(upper)).full_name
    except UsageError:
        return False


def is_given(end: Any) -> bool:
    """Say whether --steps or --budget, as a flag or a recipe spells it, says an end: none leaves it to the other one."""
    return end is not None and str(end).lower() != "none"


def _one_end(training: dict[str, Any]) -> dict[str, Any]:
    """Let a layer that says when to stop overrule the other way of saying it in the layers below."""
    if is_given(training.get("steps")) and "budget" not in training:
        return {**training, "budget": "none"}
    if is_given(training.get("budget")) and "steps" not in training:
        return {**training, "steps": "none"}
    return training
