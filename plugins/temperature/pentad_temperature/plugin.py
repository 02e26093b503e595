"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Implementation, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class TemperatureOptions:
    """Options of the temperature sampler."""

    temperature: float = option(
        1.0, "Divides the logits: below 1 safer, above 1 bolder; for 0, always the likeliest token, use --sampler greedy.", gt=0
    )


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="temperature",
            summary="Draw from the whole distribution, sharpened or flattened.",
            factory="pentad_temperature.sampler:Temperature",
            options=TemperatureOptions,
        )
    ]
