"""(IA)^3 (Liu et al., 2022): a learned number beside each output of a matrix, and the model stays.

The paper rescales keys, values and the hidden features of the MLP. Here the outputs of the matrices
that are named are rescaled, of all where none is. They start at one, so the adapted model begins as
the model, and they can be merged.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pentad import Model, ModelAdapter, Vocabulary
from pentad_adapters.lora import chosen_matrices, learn_special_rows
from pentad_adapters.options import IA3Options


class Rescaled(nn.Module):
    """Multiplies each row of a matrix (out, in), and so each output, by a number of its own."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(len(weight)))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the rescaled matrix (out, in)."""
        return weight * self.scale[:, None]


class IA3(ModelAdapter):
    """Rescales the outputs of the matrices, of experts too, and freezes all other parameters."""

    def __init__(self, options: IA3Options, *, vocabulary: Vocabulary | None = None) -> None:
        self.options, self.vocabulary = options, vocabulary
        self._adapted: list[tuple[str, str]] = []

    def apply(self, model: Model) -> None:
        """Freeze the model, and insert a row of numbers beside each matrix.

        Raises:
            UsageError: no matrix has one of the names.
        """
        chosen = chosen_matrices(model, self.options.matrices)
        special = model.token_parameters()
        model.requires_grad_(False)
        for name in chosen:
            owner, _, leaf = name.rpartition(".")
            parametrize.register_parametrization(model.get_submodule(owner), leaf, Rescaled(model.get_parameter(name)))
            self._adapted.append((owner, leaf))
        if self.options.special_tokens:
            self._adapted += learn_special_rows(model, special, self.vocabulary)

    def merge(self, model: Model) -> None:
        """Multiply each matrix by its numbers."""
        for owner, leaf in self._adapted:
            parametrize.remove_parametrizations(model.get_submodule(owner), leaf, leave_parametrized=True)
        self._adapted = []
