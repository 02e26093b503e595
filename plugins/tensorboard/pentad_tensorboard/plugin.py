"""What this distribution offers; light, so that listing it imports neither torch nor tensorboard."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Observer, hookimpl


@hookimpl
def engine_observers() -> Sequence[Observer]:
    return [
        Observer(
            name="tensorboard",
            summary="Curves, texts and the recipe for TensorBoard: tensorboard --logdir runs",
            factory="pentad_tensorboard.observer:TensorBoard",
            options="pentad_tensorboard.options:TensorBoardOptions",
        )
    ]
