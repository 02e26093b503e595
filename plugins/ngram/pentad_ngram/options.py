"""Options of the n-gram model; imports no torch, so that listing them is free."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class NgramOptions:
    """How far the model looks back, and how much it takes from what it has seen."""

    order: int = option(
        5, "Tokens of the longest n-gram: the one that follows, and the order - 1 before it that it is counted by.", ge=1, le=64
    )
    discount: float | None = option(
        None,
        "What is taken from every count and given to what was not seen; none estimates three for each order from the text.",
        gt=0,
        lt=1,
    )
