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
            source="Fan, Lewis and Dauphin, Hierarchical Neural Story Generation, 2018",
            factory="pentad_top_k.sampler:TopK",
            options="pentad_top_k.options:TopKOptions",
        )
    ]
