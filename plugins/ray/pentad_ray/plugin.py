"""What this distribution offers; light, so that listing it imports neither torch nor ray."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Executor, hookimpl


@hookimpl
def engine_executors() -> Sequence[Executor]:
    return [
        Executor(
            name="ray",
            summary="Over a Ray cluster; a run whose machine is lost is started again.",
            factory="pentad_ray.executor:Ray",
            options="pentad_ray.options:RayOptions",
        )
    ]
