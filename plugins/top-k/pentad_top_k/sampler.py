"""The k likeliest tokens, renormalised: Fan, Lewis and Dauphin, Hierarchical Neural Story Generation, 2018."""

from __future__ import annotations

import torch
from torch import Tensor

from pentad import Sampler, tempered_softmax
from pentad_top_k.options import TopKOptions


class TopK(Sampler):
    """Draw among the k likeliest tokens.

    Exactly k tokens stay when that many are possible: among equals at the border, the ones that `torch.topk` picks.
    """

    def __init__(self, options: TopKOptions) -> None:
        self.k = options.k
        self.temperature = options.temperature

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the softmax over each row's k highest logits, and 0 elsewhere."""
        highest, ids = logits.topk(min(self.k, logits.shape[-1]), dim=-1)  # (B, K)
        return torch.zeros_like(logits).scatter_(-1, ids, tempered_softmax(highest, self.temperature))  # (B, V)
