"""What can be set of the guard."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class SpikeGuardOptions:
    """When a loss is a spike, and what to do then."""

    window: int = option(50, "Last steps whose losses a loss is compared with.", ge=5)
    deviations: float = option(6.0, "A loss is a spike from so many standard deviations above their median on…", gt=0)
    rise: float = option(0.1, "…where it is also above the median by this share of it.", ge=0)
    steps: int = option(2, "Spikes in a row that are acted on: a single one may be an odd example.", ge=1)
    action: str = option("scale", "Lower the learning rate, or end the training well.", choices=("scale", "stop"))
    factor: float = option(0.5, "What the learning rate is multiplied by.", gt=0, lt=1)
    wait: int = option(20, "Steps after that in which the loss may come down again.", ge=0)
    most: int = option(5, "Reductions after which the next one ends the training instead.", ge=1)
