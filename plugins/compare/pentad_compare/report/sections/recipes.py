"""How to repeat it: every arm's recipe and command, and the whole comparison's; and how to read the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomli_w

from pentad_compare.records import Comparison
from pentad_compare.report.numbers import bits
from pentad_compare.report.sections.parts import Section, all_looks


def recipes(comparison: Comparison) -> Section:
    """Return the section of recipes."""
    known = all_looks(comparison)
    arms = [(known[arm.label], to_toml(arm.recipe), arm.reproduce) for arm in comparison.arms]
    arms += [(known[item.label], to_toml(item.recipe), "") for item in comparison.tokenizers]
    return Section("recipes", "Repeat it", template="recipes.html", extra={"command": comparison.command, "arms": arms})


def to_toml(recipe: Mapping[str, Any]) -> str:
    """Return tables as TOML, which has no null: None is "none", as in recipe files."""
    return tomli_w.dumps(_plain(recipe))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool)) else "none" if value is None else str(value)


def reading(comparison: Comparison) -> Section:
    """Return the section that explains the figures."""
    extra = {
        "trained": bool(comparison.arms),
        "intervals": any(group.differences for group in comparison.groups),
        "confidence": f"{comparison.confidence:.0%}",
        "detect": bits(comparison.detect, 3).rstrip("0"),
        "texts": any(arm.samplers for arm in comparison.arms),
        "tokenizers": bool(comparison.tokenizers),
    }
    return Section("reading", "How to read this", template="reading.html", extra=extra)
