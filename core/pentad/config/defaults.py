"""What a recipe in Python leaves open: the defaults of the installed front end, and of the run that it starts from.

There is one source of defaults, that of `engine run`; without a front end there is none, and every stage must be named.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pentad.config.front_end import front_end
from pentad.system.errors import UsageError

Tables = Mapping[str, Mapping[str, Any]]


def default_tables(start: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the tables that hold where a recipe says nothing; those that a run to start from brings along lie above.

    Args:
        start: that run's folder. What is wrong with it is said when it is opened.
    """
    front = front_end()
    tables = front.default_tables() if front else {}
    return {**tables, **_brought_along(Path(start), tables)} if start else tables


def _brought_along(run: Path, below: Tables) -> dict[str, dict[str, Any]]:
    """Return the names of the stages that a run decides, and its context; their options come with the run itself."""
    try:
        own = tomllib.loads((run / "recipe.toml").read_text(encoding="utf-8"))
        stages: dict[str, dict[str, Any]] = {stage: {"name": own[stage]["name"]} for stage in ("tokenizer", "model")}
        context = own["training"]["context_length"]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return {**stages, "training": {**below.get("training", {}), "context_length": context}}


def name_missing(stages: Mapping[str, object]) -> None:
    """Refuse a recipe whose stages are neither named nor known by default.

    Raises:
        UsageError: names them.
    """
    missing = [stage for stage, choice in stages.items() if choice is None]
    if missing:
        raise UsageError(
            f"A recipe expects a name for every stage; found none for {', '.join(missing)}.",
            f'Name them, {missing[0]}="…", or install what has defaults: pip install pentad-cli',
            code="stage-missing",
        )
