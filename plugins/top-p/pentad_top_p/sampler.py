"""The nucleus, renormalised: Holtzman et al., The Curious Case of Neural Text Degeneration, 2020."""

from __future__ import annotations

import torch
from torch import Tensor

from pentad import Sampler, tempered_softmax
from pentad_top_p.options import TopPOptions


class TopP(Sampler):
    """Draw among the fewest likeliest tokens whose probability reaches p; among equals at the border, lower ids stay."""

    def __init__(self, options: TopPOptions) -> None:
        self.p = options.p
        self.temperature = options.temperature

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return the softmax over each row's nucleus, and 0 elsewhere."""
        found = tempered_softmax(logits, self.temperature)
        if self.p == 1:
            return found
        likeliest, ids = found.sort(dim=-1, descending=True, stable=True)  # (B, V)
        before = likeliest.cumsum(dim=-1) - likeliest
        kept = torch.where(before < self.p, likeliest, 0.0)
        kept[:, 0] = likeliest[:, 0]  # rounding must not leave a row empty
        return torch.zeros_like(found).scatter_(-1, ids, kept / kept.sum(dim=-1, keepdim=True))
