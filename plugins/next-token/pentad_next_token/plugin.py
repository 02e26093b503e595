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
            factory="pentad_next_token.builder:next_token",
            options="pentad_next_token.options:NextTokenOptions",
        )
    ]
