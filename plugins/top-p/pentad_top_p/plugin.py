"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="top-p",
            summary="Draw among the likeliest tokens that together have probability p.",
            source="Holtzman et al., The Curious Case of Neural Text Degeneration, 2020",
            factory="pentad_top_p.sampler:TopP",
            options="pentad_top_p.options:TopPOptions",
        )
    ]
