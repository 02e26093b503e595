"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Implementation, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class TopPOptions:
    """Options of the top-p sampler."""

    p: float = option(0.95, "Probability that the tokens that stay must have together; 1 keeps them all.", gt=0, le=1)
    temperature: float = option(
        1.0, "Divides the logits: below 1 safer, above 1 bolder; for 0, always the likeliest token, use --sampler greedy.", gt=0
    )


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="top-p",
            summary="Draw among the likeliest tokens that together have probability p.",
            factory="pentad_top_p.sampler:TopP",
            options=TopPOptions,
        )
    ]
