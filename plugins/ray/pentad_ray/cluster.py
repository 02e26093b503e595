"""The cluster: connecting to it, and how many runs fit on it."""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pentad import EngineError
from pentad.tools import one_line


def connect(address: str | None) -> None:
    """Join a cluster, or start one on this machine; an open connection is kept.

    Ray's usage statistics are off, and no dashboard is started.

    Raises:
        EngineError: it cannot be reached or started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Else Ray warns, at every start, that tasks without a GPU will see the GPUs; `remote_task` hides them itself.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return
    _silence_stdout()
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if address is not None and ":" in address:
            _check_reachable(address)
        ray.init(address=address, **quiet)
    except Exception as error:
        tried = f"reached at {address}" if address else "started on this machine"
        raise EngineError(f"Ray could not be {tried}: {one_line(error)}", _hint(address), code="cluster-unreachable") from error


def _silence_stdout() -> None:
    """Keep Ray's reports of lost workers in its own logs: it would print them to stdout, where --json writes.

    Ray has no setting for it (2.60), so the function that prints is replaced; a version without it is left alone.
    """
    import ray

    module = getattr(getattr(ray, "_private", None), "worker", None)
    if module is not None and hasattr(module, "print_to_stdstream"):
        module.print_to_stdstream = lambda *arguments, **options: None


def _check_reachable(address: str) -> None:
    """Check that something listens there: Ray itself would try for minutes, and then end the process.

    Raises:
        OSError: nothing does.
        ValueError: it is not HOST:PORT.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=10):
        pass


def _hint(address: str | None) -> str:
    if address is None:
        return "Use --executor.address to join a running cluster, or --executor local."
    if address.startswith("ray://"):
        return "ray://HOST:PORT needs pip install 'ray[client]' here and the cluster's client server, port 10001 unless told."
    return "ray start --head starts a cluster and shows its address; ray status shows whether it is up."


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node of the cluster: its machine, and the CPUs and GPUs that it offers."""

    host: str
    cpus: int
    gpus: int


def nodes() -> list[Node]:
    """Return the nodes that are up."""
    import ray

    return [
        Node(
            host=node["NodeManagerHostname"],
            cpus=int(node["Resources"].get("CPU", 0)),
            gpus=int(node["Resources"].get("GPU", 0)),
        )
        for node in ray.nodes()
        if node["Alive"]
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
        """Return how many runs may share one machine."""
        runs = Counter[str]()
        for node in nodes:
            runs[node.host] += self.fits(node)
        return max(runs.values(), default=0)


def pick_share(cpus: int | None, gpus: float | None, jobs: int | None, nodes: Sequence[Node]) -> Share:
    """Decide what each run reserves.

    Args:
        cpus: as the user chose; None for one, or for as many as let `jobs` runs fit at once.
        gpus: as the user chose; None for one where any node has one.
        jobs: runs at once; None for as many as fit.
        nodes: the cluster.

    Raises:
        EngineError: no node has that much.
    """
    wanted = gpus if gpus is not None else float(any(node.gpus for node in nodes))
    most = max((node.cpus for node in nodes), default=0)
    share_of_jobs = range(most, 1, -1) if jobs and cpus is None else ()
    shares = [Share(cpus=number, gpus=wanted) for number in (*share_of_jobs, cpus or 1)]
    share = next((share for share in shares if share.fits_all(nodes) >= (jobs or 1)), shares[-1])
    if share.fits_all(nodes) == 0:
        largest = max(nodes, key=lambda node: (node.gpus, node.cpus), default=None)
        offered = f"{largest.cpus} CPUs and {largest.gpus} GPUs" if largest else "nothing"
        raise EngineError(
            f"A run needs {share.cpus} CPUs and {share.gpus:g} GPUs of one node; the largest of {len(nodes)} has {offered}.",
            "Lower --executor.num-cpus or --executor.num-gpus, or add a node: ray start --address HOST:PORT.",
            code="cluster-too-small",
        )
    return share
