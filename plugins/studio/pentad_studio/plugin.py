"""What this distribution offers; light, so that listing it imports neither torch nor a web server."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Command, hookimpl


@hookimpl
def engine_commands() -> Sequence[Command]:
    return [
        Command(
            name="studio",
            summary="See in the browser what a model does, on your own text and models.",
            factory="pentad_studio.command:studio",
        ),
        Command(
            name="trace",
            summary="Find where a text stands in a run's training text.",
            factory="pentad_studio.trace.command:trace",
        ),
    ]
