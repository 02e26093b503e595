"""What is measured of a machine's speed: a small step of products and a softmax, and what of a core a process gets."""

from __future__ import annotations

import statistics
import time
from typing import Self

import torch
from torch.nn import functional as F

from pentad.system.machine import Machine
from pentad.system.processes import World

MEASURING = 0.2
"""Seconds after which no further step is timed."""

LEAST_SHARE = 0.2
"""Share of a core that a step may have had at the least: with less, the process waited for something else than its turn."""


class CoreShare:
    """The share of a core that a process had for a while: 1 on a quiet machine, less where others want it too.

    Only for one thread on a CPU, where the time that a step takes is that of the thread; 1 elsewhere.
    """

    def __init__(self, machine: Machine) -> None:
        self._counts = machine.device.type == "cpu" and machine.threads == 1
        self.share = 1.0

    def __enter__(self) -> Self:
        """Begin."""
        self._clock, self._process = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        """End."""
        waited, worked = time.perf_counter() - self._clock, time.process_time() - self._process
        if self._counts:
            self.share = min(1.0, max(LEAST_SHARE, worked / max(waited, 1e-9)))


def measured_rate(machine: Machine, world: World) -> float:
    """Return the operations per second of a small training step, of all processes together: two MLPs, a head, a softmax."""
    large = machine.device.type != "cpu"
    width, rows = (1024, 8192) if large else (128, 1024)
    generator = torch.Generator().manual_seed(0)

    def matrix(*shape: int) -> torch.Tensor:
        drawn: torch.Tensor = torch.randn(shape, generator=generator) / width**0.5
        return drawn.to(machine.device).requires_grad_()

    weights = [matrix(width, 4 * width), matrix(4 * width, width), matrix(width, 4 * width), matrix(4 * width, width)]
    head, inputs = matrix(width, 8 * width), matrix(rows, width).detach()
    targets = torch.arange(rows, device=machine.device) % (8 * width)

    def step(n: int) -> float:
        began = time.perf_counter()
        x = inputs[:n]
        with machine.autocast():
            for up, down in zip(weights[::2], weights[1::2], strict=True):
                x = F.rms_norm(x, (width,))
                x = x + F.relu(x @ up).square() @ down
            logits = F.rms_norm(x, (width,)) @ head
        F.cross_entropy(logits.float(), targets[:n]).backward()
        machine.synchronize()
        return time.perf_counter() - began

    step(rows // 8)
    seconds: list[float] = []
    while not seconds or sum(seconds) < MEASURING:
        seconds.append(step(rows))
    flops = 6 * rows * sum(weight.numel() for weight in (*weights, head))
    return world.mean(flops / statistics.median(seconds)) * world.size
