"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="greedy",
            summary="Always the likeliest token; the same text every time.",
            source="own",
            factory="pentad_greedy.sampler:Greedy",
        )
    ]
