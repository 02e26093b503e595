"""The cluster: reaching it, and how many runs fit on it."""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pentad import EngineError, cause_of


def connect(address: str | None) -> None:
    """Join a cluster, or start one on this machine; a connection that this process has already is kept.

    Nothing is reported to Ray's makers, and no dashboard is started.

    Raises:
        EngineError: it cannot be reached or started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Else Ray warns, at every start, of what it will do to tasks without a GPU; `executor` says it to them itself.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return
    _keep_stdout_clean()
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if address is not None and ":" in address:
            _knock(address)
        ray.init(address=address, **quiet)
    except Exception as error:
        place = f"reached at {address}" if address else "started on this machine"
        raise EngineError(
            f"Ray could not be {place}: {cause_of(error, Path())[0]}", _advice(address), code="cluster-unreachable"
        ) from error


def _keep_stdout_clean() -> None:
    """Let Ray tell of lost workers in its own logs only: it prints that to stdout, where a report may be, unasked.

    Ray has no setting for it (2.60), so the function that prints is replaced; where it has gone, nothing happens.
    """
    import ray

    module = getattr(getattr(ray, "_private", None), "worker", None)
    if module is not None and hasattr(module, "print_to_stdstream"):
        module.print_to_stdstream = lambda *given, **more: None


def _knock(address: str) -> None:
    """Make sure that something listens there: Ray itself would try for minutes, and end the process after that.

    Raises:
        OSError: nothing does.
        ValueError: it is no HOST:PORT.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=10):
        pass


def _advice(address: str | None) -> str:
    if address is None:
        return "Say --executor.address for a cluster that runs already, or --executor local."
    if address.startswith("ray://"):
        return "ray://HOST:PORT needs pip install 'ray[client]' here and the cluster's client server, port 10001 unless told."
    return "ray start --head starts a cluster and shows its address; ray status shows whether it is up."


@dataclass(frozen=True, kw_only=True)
class Node:
    """A member of the cluster: the machine that it is on, and what it lends."""

    host: str
    cpus: int
    gpus: int


def nodes() -> list[Node]:
    """Return those that are up."""
    import ray

    return [
        Node(
            host=each["NodeManagerHostname"],
            cpus=int(each["Resources"].get("CPU", 0)),
            gpus=int(each["Resources"].get("GPU", 0)),
        )
        for each in ray.nodes()
        if each["Alive"]
    ]


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one run reserves: CPUs, and GPUs (0.5 for half of one)."""

    cpus: int
    gpus: float

    def fits(self, node: Node) -> int:
        """Return how many runs fit on a node."""
        by_cpus = node.cpus // self.cpus
        if self.gpus == 0:
            return by_cpus
        by_gpus = int(node.gpus // self.gpus) if self.gpus >= 1 else node.gpus * int(1 / self.gpus)
        return min(by_cpus, by_gpus)

    def fits_all(self, nodes: Sequence[Node]) -> int:
        """Return how many runs fit on the cluster."""
        return sum(self.fits(node) for node in nodes)

    def most_on_one_host(self, nodes: Sequence[Node]) -> int:
        """Return how many runs may meet on one machine."""
        met = Counter[str]()
        for node in nodes:
            met[node.host] += self.fits(node)
        return max(met.values(), default=0)


def pick_share(cpus: int | None, gpus: float | None, jobs: int | None, nodes: Sequence[Node]) -> Share:
    """Decide what each run reserves.

    Args:
        cpus: as the user says; None for one, or for as many as let `jobs` runs fit at once.
        gpus: as the user says; None for one where any node has one.
        jobs: runs at once; None for as many as fit.
        nodes: the cluster.

    Raises:
        EngineError: no node has that much.
    """
    wanted = gpus if gpus is not None else float(any(node.gpus for node in nodes))
    most = max((node.cpus for node in nodes), default=0)
    share_of_jobs = range(most, 1, -1) if jobs and cpus is None else ()
    shares = [Share(cpus=number, gpus=wanted) for number in (*share_of_jobs, cpus or 1)]
    share = next((each for each in shares if each.fits_all(nodes) >= (jobs or 1)), shares[-1])
    if share.fits_all(nodes) == 0:
        largest = max(nodes, key=lambda node: (node.gpus, node.cpus), default=None)
        found = f"{largest.cpus} CPUs and {largest.gpus} GPUs" if largest else "nothing"
        raise EngineError(
            f"A run needs {share.cpus} CPUs and {share.gpus:g} GPUs of one node; the largest of {len(nodes)} has {found}.",
            "Lower --executor.num-cpus or --executor.num-gpus, or add a node: ray start --address HOST:PORT.",
            code="cluster-too-small",
        )
    return share
