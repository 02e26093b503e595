"""One process or several under torchrun: the same loop, with sums over the processes.

Started by `torchrun`, each process takes its share of every step's examples and of the held-out text. Gradients are averaged
by torch's DistributedDataParallel (`train.trainer`), losses, target counts and scores are summed here, so that a run means the
same however many processes share it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(hours=12)
"""How long a process waits for its peers: the first one tokenizes while the others wait, which may outlast torch's
10 minutes. One that dies ends the wait at once, because torchrun stops its peers.
"""


@dataclass(frozen=True)
class World:
    """The place of this process among its peers."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and talks to the user."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Add up a tensor over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def mean(self, value: float) -> float:
        """Return the mean of a number over all processes."""
        return float(self.sum(torch.tensor([value], dtype=torch.float64))) / self.size

    def sum_array(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Add up an array over all processes, in place; where each number is 0 in all but one, it stays exact."""
        self.sum(torch.from_numpy(values))
        return values

    def largest(self, value: int) -> int:
        """Return the largest of a number that is not negative, over all processes."""
        values = np.zeros(self.size)
        values[self.rank] = value
        return int(self.sum_array(values).max())

    def agree(self, value: float) -> bool:
        """Say whether a number is the same in every process."""
        values = torch.zeros(self.size, dtype=torch.float64)
        values[self.rank] = value
        return len(set(self.sum(values).tolist())) == 1

    def of_first(self, text: str) -> str:
        """Return the first process's text in every process."""
        said = np.frombuffer(text.encode() if self.is_first else b"", dtype=np.uint8)
        letters = torch.zeros(int(self.sum(torch.tensor([len(said)])).item()), dtype=torch.int32)
        if self.is_first:
            letters[:] = torch.from_numpy(said.astype(np.int32))
        return bytes(self.sum(letters).tolist()).decode()

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.size > 1:
            dist.barrier()


def is_first_process() -> bool:
    """Say whether this process will be the first of its world, before it has joined."""
    return int(os.environ.get("RANK", "0")) == 0


def join_world(device: torch.device) -> World:
    """Join the processes that torchrun started, or be alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return World()
    if not dist.is_initialized():
        # Sums of counts and clocks live on the CPU, those of gradients on the device.
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)
    return World(dist.get_rank(), dist.get_world_size())
