"""A block of the transformer: attention to both sides, then an MLP."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad.tools import dropout
from pentad_bert.options import BERTOptions

EPSILON = 1e-12
"""Added to the variance in each layer norm: BERT's."""


class Block(nn.Module):
    """Attention, then MLP, each added to what comes in; BERT normalises the sum, `norm_first` what comes in."""

    def __init__(self, options: BERTOptions) -> None:
        super().__init__()
        width = options.n_embd
        # A matrix each, because Muon orthogonalises each matrix by itself.
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.projection = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=EPSILON)
        self.up = nn.Linear(width, options.hidden)
        self.down = nn.Linear(options.hidden, width)
        self.mlp_norm = nn.LayerNorm(width, eps=EPSILON)
        self.head_width = width // options.n_head
        self.norm_first, self.qk_norm, self.dropout = options.norm_first, options.qk_norm, options.dropout

    def forward(self, x: Tensor, mask: Tensor | None, rotation: Tensor | None) -> Tensor:
        """Return x (B, T, D) after this block.

        Args:
            x: (B, T, D).
            mask: (B, 1, T, T) bool, true where a position may look; None when it may look everywhere.
            rotation: cosines and sines (2, T, Dh/2) of each position, or None with learned positions.
        """
        if self.norm_first:
            x = x + self._attend(self.attention_norm(x), mask, rotation)
            return x + self._transform(self.mlp_norm(x))
        x = self.attention_norm(x + self._attend(x, mask, rotation))
        normed: Tensor = self.mlp_norm(x + self._transform(x))
        return normed

    def _attend(self, x: Tensor, mask: Tensor | None, rotation: Tensor | None) -> Tensor:
        queries, keys, values = (self._heads(matrix(x)) for matrix in (self.query, self.key, self.value))
        queries, keys = self._place(queries, rotation), self._place(keys, rotation)
        rate = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, dropout_p=rate)  # (B, H, T, Dh)
        return dropout(self.projection(mixed.transpose(1, 2).flatten(2)), self.dropout, self.training)

    def _place(self, x: Tensor, rotation: Tensor | None) -> Tensor:
        """Normalise and turn queries or keys (B, H, T, Dh): RoPE (Su et al., 2021), one half of the features with the other."""
        x = F.rms_norm(x, x.shape[-1:]) if self.qk_norm else x
        if rotation is None:
            return x
        cosine, sine = rotation.to(x.dtype)
        first, second = x.chunk(2, dim=-1)
        return torch.cat((first * cosine - second * sine, first * sine + second * cosine), dim=-1)

    def _transform(self, x: Tensor) -> Tensor:
        return dropout(self.down(F.gelu(self.up(x))), self.dropout, self.training)

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], -1, self.head_width).transpose(1, 2)  # (B, H, T, Dh)
