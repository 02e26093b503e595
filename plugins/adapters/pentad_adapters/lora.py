"""Low-rank adaptation (Hu et al., 2021).

A matrix W (out, in) becomes W + alpha / rank * B A with A (rank, in) and B (out, rank). W stays as it is. A starts
as peft's does, uniform within 1 / sqrt(in), and B at zero, so that the adapted model begins as the model. Embedding and head
stay as they are, tied to each other or not, but for the rows of special tokens: those of a new template are all but equal until
they are learned, and a model that cannot tell them apart never ends its turn.

The product is added to the matrix rather than to the layer's output: the same arithmetic for any model, whichever way it uses
the matrix. So dropout leaves out features of the input for all tokens of a step together.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    """Adapts the matrices, of experts too, and freezes all other parameters."""

    def __init__(self, options: LoRAOptions, *, vocabulary: Vocabulary | None = None) -> None:
        self.options, self.vocabulary = options, vocabulary
        self._adapted: list[tuple[str, str]] = []

    def apply(self, model: Model) -> None:
        """Freeze the model, and insert two small matrices beside each large one.

        Raises:
            UsageError: no matrix has one of the names.
        """
        chosen = chosen_matrices(model, self.options.matrices)
        model.requires_grad_(False)
        special = model.token_parameters()
        for name in chosen:
            owner, _, leaf = name.rpartition(".")
            change = LowRank(model.get_parameter(name), self.options)
            parametrize.register_parametrization(model.get_submodule(owner), leaf, change)
            self._adapted.append((owner, leaf))
        if self.options.special_tokens:
            self._adapted += learn_special_rows(model, special, self.vocabulary)

    def merge(self, model: Model) -> None:
        """Add each product to its matrix."""
        was_training = model.training
        model.eval()  # without dropout
        for owner, leaf in self._adapted:
            parametrize.remove_parametrizations(model.get_submodule(owner), leaf, leave_parametrized=True)
        model.train(was_training)
        self._adapted = []


def chosen_matrices(model: Model, patterns: tuple[str, ...]) -> list[str]:
    """Return the names of a model's matrices that match one of the patterns, all where there is none.

    Raises:
        UsageError: no matrix has one of the names.
    """
    names = [name for name, role in model.roles().items() if role in ("matrix", "experts") and _adaptable(model, name)]
    chosen = [name for name in names if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not chosen:
        raise UsageError(
            f"--adapter.matrices must name matrices of the model; found {', '.join(patterns) or 'none to adapt'}.",
            f"It has: {', '.join(names[:12]) or 'no matrix of two dimensions'}{', …' if len(names) > 12 else ''}.",
            code="no-such-matrix",
        )
    return chosen


def learn_special_rows(model: Model, names: Iterable[str], vocabulary: Vocabulary | None) -> list[tuple[str, str]]:
    """Let the rows of the special tokens be learned in these parameters, and return the owner and the leaf of each."""
    if vocabulary is None or not vocabulary.special:
        return []
    places = []
    for name in sorted(names):
        owner, _, leaf = name.rpartition(".")
        rows = SpecialRows(model.get_parameter(name), vocabulary)
        parametrize.register_parametrization(model.get_submodule(owner), leaf, rows)
        places.append((owner, leaf))
    return places


def _adaptable(model: Model, name: str) -> bool:
    """Whether a parameter is a matrix that its module reads anew each time; torch's recurrent ones keep a list of theirs."""
    return model.get_parameter(name).ndim == 2 and not isinstance(model.get_submodule(name.rpartition(".")[0]), nn.RNNBase)
