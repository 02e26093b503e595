"""Tokens above a share of the likeliest one's probability: Nguyen et al., Turning Up the Heat: Min-p Sampling, 2024.

The share is of the model's own probabilities; the temperature then acts on what stays. So a high temperature does not let
the tail in. transformers divides by the temperature first, as does the chain `temperature+min-p`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pentad import Sampler, tempered_softmax
from pentad_min_p.options import MinPOptions


class MinP(Sampler):
    """Draw among tokens not far less likely than the likeliest."""

    def __init__(self, options: MinPOptions) -> None:
        self.margin = math.log(options.p) if options.p > 0 else -math.inf
        self.temperature = options.temperature

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the softmax over the tokens within the margin of each row's highest logit, and 0 elsewhere."""
        near = logits - logits.amax(dim=-1, keepdim=True) >= self.margin  # a ratio of probabilities is a difference of logits
        return tempered_softmax(torch.where(near, logits, -math.inf), self.temperature)  # (B, V)
