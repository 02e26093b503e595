"""A sampler in a single file: toss a loaded coin between the two likeliest tokens.

engine generate runs/NAME --plugin examples/coin_sampler.py --sampler coin --sampler.bias 0.9
engine plugins check examples/coin_sampler.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pentad import Implementation, Sampler, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class CoinOptions:
    """The coin."""

    bias: float = option(0.75, "Probability of the likeliest token.", gt=0.5, le=1)


class Coin(Sampler):
    """The likeliest token with probability `bias`, else the second one."""

    def __init__(self, options: CoinOptions) -> None:
        self.bias = options.bias

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return probabilities (B, V), not zero for two tokens of a row at most."""
        highest, ids = logits.topk(2, dim=-1)  # (B, 2)
        coin = torch.where(highest.isneginf(), 0.0, logits.new_tensor([self.bias, 1 - self.bias]))
        return torch.zeros_like(logits).scatter(-1, ids, coin / coin.sum(dim=-1, keepdim=True))


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    """Offer the sampler; in a single file, the factory may be the class itself."""
    return [
        Implementation(
            name="coin", summary="The likeliest token or the second, by a loaded coin.", factory=Coin, options=CoinOptions
        )
    ]
