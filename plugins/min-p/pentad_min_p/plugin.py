"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Implementation, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class MinPOptions:
    """Options of the min-p sampler."""

    p: float = option(0.05, "Least probability of a token that stays, as a share of the likeliest one's.", ge=0, le=1)
    temperature: float = option(
        1.0, "Divides the logits: below 1 safer, above 1 bolder; for 0, always the likeliest token, use --sampler greedy.", gt=0
    )


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="min-p",
            summary="Draw among tokens not far less likely than the likeliest.",
            factory="pentad_min_p.sampler:MinP",
            options=MinPOptions,
        )
    ]
