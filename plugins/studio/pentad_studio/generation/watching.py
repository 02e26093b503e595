"""A sampler that is watched: what the model thought of the next token, and what the sampler left of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pentad import Sampler


@dataclass(frozen=True)
class Alternative:
    """A token that might have come: its id, its probability under the model, and after the sampler."""

    token: int
    model: float
    sampler: float


@dataclass(frozen=True)
class Thought:
    """What there was to choose from.

    Args:
        entropy: of the model's distribution, in bits.
        kept: share of the model's probability that the sampler left; what is drawn comes from it.
        choices: tokens that the sampler left.
        alternatives: the likeliest, by the model.
    """

    entropy: float
    kept: float
    choices: int
    alternatives: Sequence[Alternative]


class Watched(Sampler):
    """Does what another sampler does, and keeps the last distributions of the first sequence.

    Args:
        inner: the sampler; None for the model's own distribution.
        most: how many of the likeliest tokens are kept.
    """

    def __init__(self, inner: Sampler | None, most: int) -> None:
        self._inner, self._most = inner, most
        self._model: Tensor = torch.empty(0)
        self._left: Tensor = torch.empty(0)

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the probabilities (B, V) of the sampler within."""
        return self.constrained(logits, tokens, self.start(tokens))

    def start(self, tokens: Tensor) -> Any:
        """Return the state of the sampler within."""
        return self._inner.start(tokens) if self._inner is not None else None

    def constrained(self, logits: Tensor, tokens: Tensor, state: Any) -> Tensor:
        """Return the probabilities (B, V) of the sampler within, and keep them."""
        model = logits.softmax(dim=-1)
        left = model if self._inner is None else self._inner.constrained(logits, tokens, state)
        self._model, self._left = model[0], left[0]
        return left

    def advance(self, state: Any, drawn: Tensor) -> Any:
        """Advance the state of the sampler within."""
        return self._inner.advance(state, drawn) if self._inner is not None else None

    def thought(self, token: int) -> Thought:
        """Return what there was to choose from at the last draw; the token that was drawn is always among it."""
        model, left = self._model.double(), self._left.double()
        best = model.topk(min(self._most, len(model))).indices.tolist()
        listed = best if token in best else [*best[:-1], token]
        return Thought(
            entropy=float(torch.special.entr(model).sum()) / 0.6931471805599453,
            kept=min(1.0, float(model[left > 0].sum())),
            choices=int((left > 0).sum()),
            alternatives=[Alternative(number, float(model[number]), float(left[number])) for number in listed if model[number]],
        )
