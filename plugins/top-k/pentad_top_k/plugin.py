"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="top-k",
            summary="Draw among the k likeliest tokens.",
            factory="pentad_top_k.sampler:TopK",
            options="pentad_top_k.options:TopKOptions",
        )
    ]
