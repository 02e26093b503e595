"""What this distribution offers; light, so that listing it imports neither torch nor tensorboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Observer, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class TensorBoardOptions:
    """What is written, and where."""

    folder: str | None = option(None, "Where the event files go; none means tensorboard/ in the run's folder.")
    every: int = option(10, "Steps between points of the training curves; evaluations and texts are all written.", ge=1)


@hookimpl
def engine_observers() -> Sequence[Observer]:
    return [
        Observer(
            name="tensorboard",
            summary="Curves, texts and the recipe for TensorBoard: tensorboard --logdir runs",
            factory="pentad_tensorboard.observer:TensorBoard",
            options=TensorBoardOptions,
        )
    ]
