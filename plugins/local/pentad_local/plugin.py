"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Executor, hookimpl


@hookimpl
def engine_executors() -> Sequence[Executor]:
    return [
        Executor(
            name="local",
            summary="On this machine, each run in a process of its own.",
            factory="pentad_local.executor:Local",
        )
    ]
