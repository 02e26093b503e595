"""Options of this distribution, in a module that is imported only when one of them is chosen or shown."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class TensorBoardOptions:
    """What is written, and where."""

    folder: str | None = option(None, "Where the event files go; none means tensorboard/ in the run's folder.")
    every: int = option(10, "Steps between points of the training curves; evaluations and texts are all written.", ge=1)
