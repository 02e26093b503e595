"""The options of the executor `ray`; imports neither torch nor ray."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Which cluster, and what each run reserves of it."""

    address: str | None = option(
        None,
        "The cluster: auto, HOST:PORT, or ray://HOST:PORT from outside it; none joins one that runs on this machine, "
        "else starts one here.",
    )
    num_cpus: int | None = option(
        None, "CPUs that each run reserves, and its threads; none means 1, or an equal share where --jobs is given.", ge=1
    )
    num_gpus: float | None = option(
        None, "GPUs that each run reserves, 0.5 for two runs on one; none means 1 where the cluster has any.", ge=0
    )
    max_retries: int = option(3, "How often a run is started again when its worker or machine is lost.", ge=0)

    def __post_init__(self) -> None:
        """Refuse what Ray cannot give: one and a half GPUs."""
        if self.num_gpus is not None and self.num_gpus > 1 and not self.num_gpus.is_integer():
            raise ValueError(f"num_gpus is a whole number or less than 1, found {self.num_gpus:g}.")
