"""The blocks of the transformer, and how features pass from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pentad_gpt.attention import Attention, Setting
from pentad_gpt.cache import LayerCache
from pentad_gpt.experts import Experts
from pentad_gpt.layers import MLP, Norm
from pentad_gpt.options import GPTOptions


class Block(nn.Module):
    """Attention, then MLP, each added to what comes in (pre-norm, as GPT-2 has it).

    Args:
        options: the shape.
        layer: which block it is, from 0.
        ids: rows of the embeddings.
    """

    def __init__(self, options: GPTOptions, layer: int, ids: int) -> None:
        super().__init__()
        self.attention_norm = Norm(options)
        self.attention = Attention(options, ids if options.has_value_embedding(layer) else None)
        self.mlp_norm = Norm(options)
        self.mlp: MLP | Experts = Experts(options) if options.n_expert else MLP(options)

    def forward(self, x: Tensor, setting: Setting, cache: LayerCache | None) -> Tensor:
        """Return x (B, T, D) after this block."""
        x = x + self.attention(self.attention_norm(x), setting, cache)
        normed = self.mlp_norm(x)
        transformed: Tensor = self.mlp(normed, setting.balance) if isinstance(self.mlp, Experts) else self.mlp(normed)
        return x + transformed


Factors = Sequence[Tensor] | Sequence[float]
"""One for each block."""


@dataclass(frozen=True, eq=False)
class Joints:
    """What happens between the blocks of one call.

    Args:
        layers: number of blocks N.
        stream, first: factors of what enters a block, and of the first embedding that is added to it; None for neither.
        skips: factors of what left the first N // 2 blocks; None for no skip connections.
    """

    layers: int
    stream: Factors | None
    first: Factors | None
    skips: Factors | None

    def enter(self, layer: int, x: Tensor, first: Tensor, kept: list[Tensor]) -> Tensor:
        """Return what enters a block, of the same shape as x.

        Args:
            layer: which block, from 0.
            x: what left the block before it.
            first: what entered the first one.
            kept: what left the blocks that `keeps` names; the last of them is taken off where it is used.
        """
        partner = self.layers - 1 - layer
        if self.skips is not None and partner < self.layers // 2:
            x = x + kept.pop() * self.skips[partner]
        if self.stream is not None and self.first is not None:
            x = x * self.stream[layer] + first * self.first[layer]
        return x

    def keeps(self, layer: int) -> bool:
        """Whether what leaves this block is needed later on."""
        return self.skips is not None and layer < self.layers // 2


class Residuals(nn.Module):
    """The learned factors between the blocks.

    Factors of the stream and of the first embedding (modded-nanogpt, 2024; nanochat's resid_lambdas and x0_lambdas, 2025)
    start at 1 and `residual_x0`. Those of U-Net's skip connections (Ronneberger et al., 2015; in a transformer: modded-nanogpt,
    2024) start at 1: what leaves block i is added to what enters block N - 1 - i.
    """

    def __init__(self, options: GPTOptions) -> None:
        super().__init__()
        layers, scalars = options.n_layer, options.residual_scalars
        self.layers = layers
        self.stream = nn.Parameter(torch.ones(layers)) if scalars else None
        self.first = nn.Parameter(torch.full((layers,), options.residual_x0)) if scalars else None
        self.skips = nn.Parameter(torch.ones(layers // 2)) if options.unet else None

    def forward(self) -> Joints:
        """Return what happens between the blocks, for one call of the model."""
        parameters = (self.stream, self.first, self.skips)
        return Joints(self.layers, *(None if factors is None else factors.unbind() for factors in parameters))

    def fixed(self) -> Joints:
        """Return the same by the factors as they are now."""
        parameters = (self.stream, self.first, self.skips)
        return Joints(self.layers, *(None if factors is None else factors.tolist() for factors in parameters))
