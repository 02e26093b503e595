"""Parameters of every role, and gradients for them, the same on every call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import nn

from pentad import NamedParameter

SHAPES = {"embedding": (11, 6), "matrix": (6, 4), "vector": (6,), "experts": (3, 4, 5), "head": (11, 6)}


class Task:
    """A model of random parameters, one of each role, with random gradients."""

    def __init__(self, roles: Sequence[str] = tuple(SHAPES)) -> None:
        generator = torch.Generator().manual_seed(0)
        self.parameters = [
            NamedParameter(name=role, role=role, parameter=nn.Parameter(torch.randn(SHAPES[role], generator=generator)))
            for role in roles
        ]

    @property
    def tensors(self) -> list[nn.Parameter]:
        return [named.parameter for named in self.parameters]

    def steps(self, number: int) -> Iterator[int]:
        """Set new gradients before each step."""
        generator = torch.Generator().manual_seed(1)
        for step in range(number):
            for parameter in self.tensors:
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            yield step

    def train(self, optimizers: Sequence[torch.optim.Optimizer], number: int = 6) -> list[torch.Tensor]:
        for _ in self.steps(number):
            for optimizer in optimizers:
                optimizer.step()
        return [parameter.detach().clone() for parameter in self.tensors]


@pytest.fixture
def task() -> type[Task]:
    return Task
