"""What this distribution offers; light, so that listing it imports no numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Implementation, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class PrefixOptions:
    """Which prefixes are learned from."""

    min_prefix: int = option(
        0, "Fewest tokens of the document in a prefix; 0 also learns its first token, from the end-of-text before it.", ge=0
    )


@hookimpl
def engine_example_builders() -> Sequence[Implementation]:
    return [
        Implementation(
            name="prefix",
            summary="Every prefix of a text and its next token, as textbooks draw it; one target a row.",
            factory="pentad_prefix.builder:Prefix",
            options=PrefixOptions,
        )
    ]
