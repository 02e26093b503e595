"""Proves the contract of adapters: low-rank adaptation (Hu et al., 2021) of any model's matrices.

engine run --plugin examples/contracts/lora.py --start runs/base --adapter lora --data more.txt

A matrix W (out, in) becomes W + alpha / rank * B A with A (rank, in) and B (out, rank); W stays as it is, and B starts at zero,
so that the adapted model begins as the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pentad import Adapter, Model, ModelAdapter, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class LoRAOptions:
    """How much is learned."""

    rank: int = option(8, "Rank of what is added to each matrix.", ge=1)
    alpha: float = option(16.0, "Factor of what is added, divided by the rank.", gt=0)


class _LowRank(nn.Module):
    """Adds alpha / rank * B A to a matrix."""

    def __init__(self, weight: Tensor, options: LoRAOptions) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.scale = options.alpha / options.rank
        self.a = nn.Parameter(torch.randn(options.rank, columns) / columns**0.5)
        self.b = nn.Parameter(torch.zeros(rows, options.rank))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the adapted matrix (out, in)."""
        return weight + self.scale * (self.b @ self.a)


class LoRA(ModelAdapter):
    """Adapts every parameter with the role "matrix", and freezes all others."""

    def __init__(self, options: LoRAOptions) -> None:
        self.options = options
        self.adapted: list[tuple[str, str]] = []

    def apply(self, model: Model) -> None:
        """Freeze the model, and insert two small matrices beside each large one."""
        model.requires_grad_(False)
        for name, role in model.roles().items():
            parameter = model.get_parameter(name)
            owner, _, leaf = name.rpartition(".")
            module = model.get_submodule(owner)
            if role == "matrix" and parameter.ndim == 2 and not isinstance(module, nn.RNNBase):  # it keeps weights of its own
                parametrize.register_parametrization(module, leaf, _LowRank(parameter, self.options))
                self.adapted.append((owner, leaf))

    def merge(self, model: Model) -> None:
        """Add each product to its matrix."""
        for owner, leaf in self.adapted:
            parametrize.remove_parametrizations(model.get_submodule(owner), leaf, leave_parametrized=True)
        self.adapted = []


@hookimpl
def engine_adapters() -> Sequence[Adapter]:
    """Offer the adapter."""
    return [Adapter(name="lora", summary="Low-rank changes of the matrices.", factory=LoRA, options=LoRAOptions)]
