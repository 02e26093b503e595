"""The loss of group-relative policy optimization (Shao et al., 2024, DeepSeekMath), and of Dr. GRPO (Liu et al., 2025).

With r the ratio of a token's probability to the one with which it was drawn, A the advantage of its answer, and k the estimate
exp(d) - d - 1 of the divergence, d being log reference - log model (Schulman, 2020), a token's loss is

    -min(r A, clip(r, 1 - e, 1 + e) A) + beta k

GRPO averages it over an answer's tokens; Dr. GRPO adds it up and divides by the most tokens that an answer may have. Both then
average over the answers. In the first update r is 1, and the gradient that of REINFORCE with the group as its baseline.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pentad import IGNORED, Loss, Net, Objective, TensorBatch
from pentad_reinforcement.options import GRPOOptions


class GroupRelative(Objective):
    """The loss of answers (B, T) whose advantages (B,), rewards (B,) and drawn log-probabilities (B, T) stand in `extra`."""

    dropout = False  # the ratio must differ from 1 by the weights alone
    name = "grpo"
    watched = "reward"

    def __init__(self, options: GRPOOptions) -> None:
        self.options = options
        self.needs_reference = options.beta > 0

    def loss(self, net: Net, batch: TensorBatch) -> Loss:
        """Return the loss summed over answers, with the mean reward, the tokens of an answer, and what else is computed."""
        learned = batch.targets != IGNORED  # (B, T)
        found = self._logprobs(net, batch)
        drawn = batch.extra["logprobs"] if "logprobs" in batch.extra else found.detach()
        per_token, clipped = self.surrogate(found - drawn, batch.extra["advantage"][:, None])
        lengths = learned.sum(dim=1)  # (B,)
        metrics: dict[str, Tensor | float] = {
            "reward": batch.extra["reward"][lengths > 0].sum(),
            "completion-length": lengths.sum(),
        }
        if self.options.beta:
            assert net.reference is not None
            with torch.no_grad():
                before = self._logprobs(net.reference, batch)
            kl = torch.expm1(before - found) - (before - found)
            per_token = per_token + self.options.beta * kl
            metrics["kl"] = self._summed(kl.detach() * learned, lengths).sum()
        if self.options.updates > 1:
            metrics["clipped"] = ((clipped & learned).sum(dim=1) / lengths.clamp(min=1)).sum()
        total = self._summed(per_token * learned, lengths if self.options.loss == "grpo" else None).sum()
        return Loss(total=total, count=(lengths > 0).sum(), metrics=metrics)

    def surrogate(self, log_ratio: Tensor, advantage: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss (B, T) of tokens by the log of their ratio (B, T) and the advantage, and which are clipped."""
        ratio = log_ratio.exp()
        bounded = ratio.clamp(1 - self.options.clip, 1 + self.options.clip)
        return -torch.minimum(ratio * advantage, bounded * advantage), ratio * advantage > bounded * advantage

    def _summed(self, values: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the sum (B,) of an answer's values (B, T), over its length, or over the length that it may have at most."""
        return values.sum(dim=1) / (self.options.max_tokens if lengths is None else lengths.clamp(min=1))

    def _logprobs(self, net: Net, batch: TensorBatch) -> Tensor:
        """Return the log-probability (B, T) of each target at the temperature, 0 where it is ignored."""
        return logprobs_at(net, batch.inputs, batch.targets, self.options.temperature)


def logprobs_at(net: Net, inputs: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Return the log-probability (B, T) of targets (B, T) when logits are divided by a temperature; 0 where one is ignored."""
    features = net(inputs).features
    if temperature == 1:
        return net.logprobs(features, targets)
    logits = net.logits(features.flatten(0, 1)) / temperature
    return -F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED, reduction="none").view(targets.shape)
