"""The cross-entropy of the next n tokens (Gloeckle et al., 2024), weighted as in DeepSeek-V3 (DeepSeek-AI, 2024).

A mean over the n tokens, so that it stays a loss per token: the next one counts 1, those behind it share `weight`. With
weight n - 1 every token counts the same, as in Gloeckle et al.
"""

from __future__ import annotations

import torch

from pentad import IGNORED, Loss, Net, Objective, TensorBatch
from pentad_next_token.options import MultiTokenOptions


class MultiTokenLoss(Objective):
    """The negative log-likelihood of the next token, and of those behind it by the model's further heads."""

    name = "multi-token"

    def __init__(self, options: MultiTokenOptions) -> None:
        self.options = options

    def loss(self, net: Net, batch: TensorBatch) -> Loss:
        """Return the summed loss, the number of next tokens, and the loss of each token by how far ahead it is."""
        features = net(batch.inputs, batch.segments).features  # (B, T, D)
        next_token = net.nll(features, batch.targets)
        targets = batch.extra["ahead"].unbind(-1)  # n - 1 of (B, T)
        further = [net.nll(own, wanted) for own, wanted in zip(net.ahead(features), targets, strict=True)]
        weight = self.options.weight
        total = (next_token + weight * torch.stack(further).mean()) / (1 + weight)
        metrics = {f"token-{number}": loss.detach() for number, loss in enumerate([next_token, *further], 1)}
        return Loss(total=total, count=(batch.targets != IGNORED).sum(), metrics=metrics)
