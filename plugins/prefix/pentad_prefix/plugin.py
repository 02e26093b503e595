"""What this distribution offers; light, so that listing it imports no numpy."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    return [
        Implementation(
            name="prefix",
            summary="Every prefix of a text and its next token, as textbooks draw it; one target a row.",
            source="own",
            factory="pentad_prefix.builder:Prefix",
            options="pentad_prefix.options:PrefixOptions",
        )
    ]
