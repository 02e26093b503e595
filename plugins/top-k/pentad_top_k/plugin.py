"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Implementation, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class TopKOptions:
    """Options of the top-k sampler."""

    k: int = option(50, "How many of the likeliest tokens stay; more than the vocabulary keeps them all.", ge=1)
    temperature: float = option(
        1.0, "Divides the logits: below 1 safer, above 1 bolder; for 0, always the likeliest token, use --sampler greedy.", gt=0
    )


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="top-k",
            summary="Draw among the k likeliest tokens.",
            factory="pentad_top_k.sampler:TopK",
            options=TopKOptions,
        )
    ]
