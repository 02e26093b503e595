"""An n-gram model in a single file: proves the contract of models that have no parameters and learn by counting.

What follows each context is counted, and a context is interpolated with the one that is shorter by a token: Witten and Bell,
The Zero-Frequency Problem, 1991. The table of contexts is a buffer that grows with the text, so that a checkpoint holds it.

engine run --plugin examples/contracts/ngram.py --model ngram --model.order 3 --data my.txt
engine plugins check examples/contracts/ngram.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pentad import IGNORED, Implementation, Model, Output, UsageError, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class NgramOptions:
    """How far the model looks back."""

    order: int = option(3, "Tokens of an n-gram: the one that follows, and those before it that it is counted by.", ge=1, le=4)


class Ngram(Model):
    """Counts of n-grams. The features of a position are its last `order - 1` tokens; -1 stands before a document."""

    keys: Tensor
    """(K,) int64, sorted: a context and what followed it, as one number for each n-gram that was seen."""
    counts: Tensor
    """(K,) int64, how often."""

    def __init__(self, options: NgramOptions, *, vocab_size: int, context_length: int) -> None:
        super().__init__()
        del context_length
        self.order, self.vocab_size, self.context_length = options.order, vocab_size, None
        if (vocab_size + 1) ** options.order * options.order >= 2**63:
            raise UsageError(
                f"An n-gram must fit into 63 bits; found {options.order} tokens of a vocabulary of {vocab_size}.",
                "Lower --model.order.",
                code="ngram-too-many",
            )
        self.register_buffer("keys", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("counts", torch.zeros(0, dtype=torch.int64))

    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        """Return each position's last tokens (B, T, order) as features, the newest last; the state holds the row's own."""
        rows = inputs.shape[0]
        before = inputs.new_full((rows, self.order), -1) if state is None else state["last"]
        windows = torch.cat([before[:, 1:], inputs], dim=1).unfold(1, self.order, 1)  # (B, T, order)
        if segments is not None:
            numbers = torch.cat([segments.new_full((rows, self.order - 1), -1), segments], dim=1).unfold(1, self.order, 1)
            windows = windows.where(numbers == segments[..., None], -1)
        if state is not None:
            state = {"last": windows[:, -1].clone()}
        return Output(windows, state)

    def logits(self, features: Tensor) -> Tensor:
        """Return log-probabilities (…, V) of what follows the tokens (…, order)."""
        tokens = features.reshape(-1, self.order).long()
        following = torch.arange(self.vocab_size, device=tokens.device)
        chances = torch.full((len(tokens), self.vocab_size), 1 / self.vocab_size, device=tokens.device)
        for length in range(self.order):
            keys = self._key(tokens, length)[:, None] * self.vocab_size + following  # (N, V)
            found = self._counted(keys).float()
            total, kinds = found.sum(dim=-1, keepdim=True), (found > 0).sum(dim=-1, keepdim=True)
            known = (found + kinds * chances) / (total + kinds).clamp_min(1)
            chances = torch.where(total > 0, known, chances)
        return chances.log().reshape(*features.shape[:-1], self.vocab_size)

    def initial_state(self, batch_size: int, max_length: int) -> Any:
        """Return that nothing stands before the rows."""
        del max_length
        return {"last": torch.full((batch_size, self.order), -1, device=self.keys.device)}

    def learn_by_counting(self, inputs: Tensor, targets: Tensor, segments: Tensor | None) -> None:
        """Count what follows each context of up to `order - 1` tokens."""
        learned = targets != IGNORED
        tokens = self.forward(inputs, segments=segments).features[learned]
        keys = [self._key(tokens, length) * self.vocab_size + targets[learned] for length in range(self.order)]
        new, often = torch.cat(keys).unique(return_counts=True)
        self.keys, where = torch.cat([self.keys, new]).unique(return_inverse=True)
        self.counts = torch.zeros_like(self.keys).index_add_(0, where, torch.cat([self.counts, often]))

    def _key(self, tokens: Tensor, length: int) -> Tensor:
        """Return a number (N,) for the last `length` of the tokens (N, order), another one for each length."""
        key = torch.full_like(tokens[:, 0], 0)
        for column in range(self.order - length, self.order):
            key = key * (self.vocab_size + 1) + tokens[:, column] + 1
        return key * self.order + length

    def _counted(self, keys: Tensor) -> Tensor:
        """Return how often each n-gram was seen; 0 for one that never was."""
        if not len(self.keys):
            return torch.zeros_like(keys)
        at = torch.searchsorted(self.keys, keys).clamp_max(len(self.keys) - 1)
        return torch.where(self.keys[at] == keys, self.counts[at], 0)


@hookimpl
def engine_models() -> Sequence[Implementation]:
    """Offer the model."""
    return [Implementation(name="ngram", summary="Counts of n-grams; no parameters.", factory=Ngram, options=NgramOptions)]
