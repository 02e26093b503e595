"""What the n-gram model keeps of the tokens that it has read: the tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(eq=False)
class History:
    """The tokens of each row.

    Args:
        tokens: (B, C) int64, room for more than were read.
        length: how many were.
    """

    tokens: Tensor
    length: int = 0

    def add(self, inputs: Tensor) -> None:
        """Put inputs (B, T) behind."""
        end = self.length + inputs.shape[1]
        if end > self.tokens.shape[1]:
            more = self.tokens.new_zeros(len(inputs), max(end, 2 * self.length) - self.tokens.shape[1])
            self.tokens = torch.cat([self.tokens, more], dim=1)
        self.tokens[:, self.length : end] = inputs
        self.length = end

    def last(self, length: int) -> Tensor:
        """Return the newest `length` tokens (B, <= length)."""
        return self.tokens[:, max(0, self.length - length) : self.length]

    def select(self, rows: Tensor) -> History:
        """Return the state of these rows (R,)."""
        return History(self.tokens.index_select(0, rows), self.length)

    def truncate(self, length: int) -> History:
        """Return the state after the first `length` tokens."""
        self.length = min(self.length, length)
        return self
