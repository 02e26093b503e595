"""The batches of a training, one after the other: where there is a core for it, the next is built while this one is learned.

It is built beside the backward pass, in which torch leaves Python's lock to others: beside the forward pass the two would wait
for each other. An example depends on its index and the seed alone, so that a batch is the same whenever it is built. What was
built ahead is no part of a run's state; whoever asks for other examples than those gets what was asked for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pentad.contracts.batch import Batch
from pentad.contracts.objective import TensorBatch
from pentad.system.machine import Machine, physical_cores

Rows = npt.NDArray[np.int64]


class Batches:
    """Builds each batch when it is taken, or one ahead.

    Args:
        build: returns the examples with these indices (B,) on the device, or None where they teach nothing.
        device: where the step computes.
    """

    def __init__(self, build: Callable[[Rows], TensorBatch | None], device: torch.device) -> None:
        self._build, self._device = build, device
        self._cores = physical_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun's processes share them
        self._thread: ThreadPoolExecutor | None = None
        self._refused = False  # whether the system gave no thread
        self._next: tuple[Rows, Future[TensorBatch | None]] | None = None

    def take(self, rows: Rows) -> TensorBatch | None:
        """Return the examples with these indices (B,), and raise what building them raises."""
        ahead, self._next = self._next, None
        if ahead is not None and np.array_equal(ahead[0], rows):
            return ahead[1].result()
        return self._build(rows)

    @contextlib.contextmanager
    def ahead(self, rows: Rows) -> Iterator[None]:
        """Build these beside what is done within, to be taken next; nothing is being built any more when it is left."""
        building = self._start(rows) if self._pays else None
        if building is None:
            yield
            return
        try:
            yield
        finally:
            wait([building])
            self._next = rows, building

    def _start(self, rows: Rows) -> Future[TensorBatch | None] | None:
        """Begin to build these in the thread; None where none can be had, as memory or a limit on threads has ended."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches", initializer=self._use_device)
        try:
            return self._thread.submit(self._build, rows)
        except RuntimeError:
            self._thread, self._refused = None, True
            return None

    @property
    def _pays(self) -> bool:
        """Whether building takes nothing from the step: a GPU computes it, or some core is not needed for it.

        On mps it is built in turn: two threads that use it at once end the process (pytorch/pytorch#197805).
        """
        if self._refused:
            return False
        free = torch.get_num_threads() < self._cores
        return self._device.type == "cuda" or (self._device.type == "cpu" and free)

    def _use_device(self) -> None:
        """Take this process's GPU in the new thread, which otherwise has the first one."""
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)


def on_device(batch: Batch, machine: Machine) -> TensorBatch:
    """Return a batch as tensors on the machine's device, by way of pinned memory where it is a GPU."""

    def move(array: np.ndarray | None) -> Tensor | None:
        if array is None:
            return None
        tensor = torch.from_numpy(array)
        if machine.device.type == "cuda":
            return tensor.pin_memory().to(machine.device, non_blocking=True)
        return tensor.to(machine.device)

    inputs, targets = move(batch.inputs), move(batch.targets)
    assert inputs is not None
    assert targets is not None
    extra = {name: tensor for name, array in batch.extra.items() if (tensor := move(array)) is not None}
    return TensorBatch(inputs=inputs, targets=targets, segments=move(batch.segments), weights=move(batch.weights), extra=extra)
