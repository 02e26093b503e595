"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="min-p",
            summary="Draw among tokens not far less likely than the likeliest.",
            source="Nguyen et al., Turning Up the Heat: Min-p Sampling, 2024",
            factory="pentad_min_p.sampler:MinP",
            options="pentad_min_p.options:MinPOptions",
        )
    ]
