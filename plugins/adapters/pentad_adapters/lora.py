"""Low-rank adaptation (Hu et al., 2021).

A matrix W (out, in) becomes W + alpha / rank * B A with A (rank, in) and B (out, rank). W stays as it is. A starts
as peft's does, uniform within 1 / sqrt(in), and B at zero, so that the adapted model begins as the model. Embedding and head
stay as they are, tied to each other or not.

The product is added to the matrix rather than to the layer's output: the same arithmetic for any model, whichever way it uses
the matrix. So dropout leaves out features of the input for all tokens of a step together.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pentad import Model, ModelAdapter, UsageError, Vocabulary
from pentad_adapters.options import LoRAOptions


class LowRank(nn.Module):
    """Adds alpha / rank * B A to a matrix.

    Args:
        weight: (out, in).
        options: rank, alpha and dropout.
    """

    def __init__(self, weight: Tensor, options: LoRAOptions) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.scale, self.dropout = options.alpha / options.rank, options.dropout
        self.a = nn.Parameter(torch.empty(options.rank, columns))
        self.b = nn.Parameter(torch.zeros(rows, options.rank))
        nn.init.kaiming_uniform_(self.a, a=5**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the adapted matrix (out, in)."""
        a: Tensor = self.a
        if self.dropout and self.training:
            a = a * F.dropout(a.new_ones(a.shape[1]), self.dropout)  # (rank, in): a feature of the input for every rank
        return weight + self.scale * (self.b @ a)


class SpecialRows(nn.Module):
    """Adds to the rows of the special tokens in a parameter with a row for each id.

    Args:
        weight: (V, D).
        vocabulary: names the special tokens.
    """

    def __init__(self, weight: Tensor, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.first, self.end = vocabulary.tokenizer_size, vocabulary.size
        self.rows = nn.Parameter(torch.zeros(self.end - self.first, *weight.shape[1:]))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the parameter (V, D); the rows of the text's ids are as they were."""
        changed = weight[self.first : self.end] + self.rows
        return torch.cat([weight[: self.first], changed, weight[self.end :]])


class LoRA(ModelAdapter):
    """Adapts parameters with the role "matrix", and freezes all others."""

    def __init__(self, options: LoRAOptions, *, vocabulary: Vocabulary | None = None) -> None:
        self.options, self.vocabulary = options, vocabulary
        self._adapted: list[tuple[str, str]] = []

    def apply(self, model: Model) -> None:
        """Freeze the model, and insert two small matrices beside each large one.

        Raises:
            UsageError: no matrix has one of the names.
        """
        names = [name for name, role in model.roles().items() if role == "matrix" and _adaptable(model, name)]
        patterns = self.options.matrices
        chosen = [name for name in names if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)]
        if not chosen:
            raise UsageError(
                f"--adapter.matrices must name matrices of the model; found {', '.join(patterns) or 'none to adapt'}.",
                f"It has: {', '.join(names[:12]) or 'no matrix of two dimensions'}{', …' if len(names) > 12 else ''}.",
                code="no-such-matrix",
            )
        model.requires_grad_(False)
        special = model.token_parameters() if self.options.special_tokens else frozenset()
        for name in chosen:
            self._insert(model, name, LowRank(model.get_parameter(name), self.options))
        if self.vocabulary is not None and self.vocabulary.special:
            for name in sorted(special):
                self._insert(model, name, SpecialRows(model.get_parameter(name), self.vocabulary))

    def _insert(self, model: Model, name: str, change: nn.Module) -> None:
        owner, _, leaf = name.rpartition(".")
        parametrize.register_parametrization(model.get_submodule(owner), leaf, change)
        self._adapted.append((owner, leaf))

    def merge(self, model: Model) -> None:
        """Add each product to its matrix."""
        was_training = model.training
        model.eval()  # without dropout
        for owner, leaf in self._adapted:
            parametrize.remove_parametrizations(model.get_submodule(owner), leaf, leave_parametrized=True)
        model.train(was_training)
        self._adapted = []


def _adaptable(model: Model, name: str) -> bool:
    """Whether a parameter is a matrix that its module reads anew each time; torch's recurrent ones keep a list of theirs."""
    return model.get_parameter(name).ndim == 2 and not isinstance(model.get_submodule(name.rpartition(".")[0]), nn.RNNBase)
