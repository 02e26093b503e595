"""What this distribution offers; light, so that listing it imports no numpy."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    return [
        Implementation(
            name="next-token",
            summary="Packed windows over documents; every position learns its next token.",
            source="own; best-fit packing: Ding et al., Fewer Truncations Improve Language Modeling, 2024",
            factory="pentad_next_token.builder:next_token",
            options="pentad_next_token.options:NextTokenOptions",
        ),
        Implementation(
            name="multi-token",
            summary="Packed windows; every position learns the next n tokens, by a head each. The first head writes.",
            source="Gloeckle et al., Better & Faster Large Language Models via Multi-token Prediction, 2024",
            factory="pentad_next_token.multi_token:MultiToken",
            options="pentad_next_token.options:MultiTokenOptions",
        ),
    ]
