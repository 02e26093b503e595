"""What this distribution offers; light, so that listing it imports neither torch nor scipy."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Command, hookimpl


@hookimpl
def engine_commands() -> Sequence[Command]:
    return [
        Command(
            name="compare",
            summary="Swap stages under an equal budget, and learn which is better.",
            factory="pentad_compare.command:compare",
        )
    ]
