"""All probability on the likeliest token; among equals, on the lowest id."""

from __future__ import annotations

import torch
from torch import Tensor

from pentad import NoOptions, Sampler


class Greedy(Sampler):
    """Always the likeliest token."""

    def __init__(self, options: NoOptions) -> None:
        del options

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return a one-hot row at each row's maximum."""
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(dim=-1, keepdim=True), 1.0)  # (B, V)
