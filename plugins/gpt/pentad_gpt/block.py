"""A block of the transformer."""

from __future__ import annotations

from torch import Tensor, nn

from pentad_gpt.attention import Attention, Setting
from pentad_gpt.cache import LayerCache
from pentad_gpt.experts import Experts
from pentad_gpt.layers import MLP, Norm
from pentad_gpt.options import GPTOptions


class Block(nn.Module):
    """Attention, then MLP, each added to what comes in (pre-norm, as GPT-2 has it)."""

    def __init__(self, options: GPTOptions) -> None:
        super().__init__()
        self.attention_norm = Norm(options)
        self.attention = Attention(options)
        self.mlp_norm = Norm(options)
        self.mlp: MLP | Experts = Experts(options) if options.n_expert else MLP(options)

    def forward(self, x: Tensor, setting: Setting, cache: LayerCache | None) -> Tensor:
        """Return x (B, T, D) after this block."""
        x = x + self.attention(self.attention_norm(x), setting, cache)
        normed = self.mlp_norm(x)
        transformed: Tensor = self.mlp(normed, setting.balance) if isinstance(self.mlp, Experts) else self.mlp(normed)
        return x + transformed
