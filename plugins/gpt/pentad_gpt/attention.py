"""Self-attention over a row, or over the cached keys and values of one."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad.tools import dropout
from pentad_gpt.cache import LayerCache
from pentad_gpt.kernels import attend_by_products, norm_and_rotate, rms_norm, rotate
from pentad_gpt.layers import epsilon
from pentad_gpt.options import GPTOptions


@dataclass(eq=False)
class Setting:
    """What is the same for all layers of one call.

    Args:
        rotation: cosines and sines (T, 1, Dh/2, 2), or None without rotary positions.
        mask: (B or 1, 1, T, S) bool, true where a position may look; None when `causal` says it all.
        causal: whether position t sees positions up to t, and there is no mask.
        start: how many tokens the cache holds already.
        balance: where each mixture of experts puts its loss () in training.
        products: whether attention is two products and a softmax, and not torch's kernel.
        bias: (B or 1, 1, T, S) what `mask` adds to the scores of attention by products: 0, or minus infinity.
        inputs: (B, T) the ids that are read; None where no block looks at them.
    """

    rotation: Tensor | None = None
    mask: Tensor | None = None
    causal: bool = True
    start: int = 0
    balance: list[Tensor] = field(default_factory=list)
    products: bool = False
    bias: Tensor | None = None
    inputs: Tensor | None = None


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al., 2017), keys and values in fewer heads if wanted (GQA: Ainslie et al., 2023).

    The norm of queries and keys is Henry et al.'s (2020), its gain Qwen3's (2025); the gate on each head is Qiu et al.'s (Gated
    Attention for Large Language Models, 2025), of a few features it is modded-nanogpt's (2025). Embeddings of the tokens that
    are added to their values are modded-nanogpt's (2024), their gates nanochat's (2026), after the values of the first layer
    that ResFormer adds (Zhou et al., Value Residual Learning, 2024). Queries, keys and values have a matrix each, because Muon
    orthogonalises each matrix by itself.

    Args:
        options: the shape.
        ids: rows of the embedding that is added to the values; None for none.
    """

    def __init__(self, options: GPTOptions, ids: int | None = None) -> None:
        super().__init__()
        width, kv_width = options.n_embd, options.kv_heads * options.head_width
        heads_width = options.n_head * options.head_width
        self.query = nn.Linear(width, heads_width, bias=options.bias)
        self.key = nn.Linear(width, kv_width, bias=options.bias)
        self.value = nn.Linear(width, kv_width, bias=options.bias)
        self.projection = nn.Linear(heads_width, width, bias=options.bias)
        self.gate = nn.Linear(options.gate_channels, options.n_head, bias=options.bias) if options.head_gate else None
        self.value_embedding = nn.Embedding(ids, kv_width) if ids else None
        self.value_gate = nn.Linear(options.value_gate_channels, options.kv_heads, bias=False) if ids else None
        self.query_gain = nn.Parameter(torch.ones(options.head_width)) if options.qk_norm_gain else None
        self.key_gain = nn.Parameter(torch.ones(options.head_width)) if options.qk_norm_gain else None
        self.head_width, self.heads = options.head_width, (options.n_head, options.kv_heads)
        self.grouped = options.kv_heads != options.n_head
        self.qk_norm, self.eps = options.qk_norm, epsilon(options)
        self.dropout = options.dropout

    def forward(self, x: Tensor, setting: Setting, cache: LayerCache | None) -> Tensor:
        """Return x (B, T, D), mixed over positions."""
        both, values = self._project(x)
        if self.value_embedding is not None:
            values = values + self._values_of_tokens(x, setting).to(values.dtype)
        queries, keys = self._place(both, setting)
        queries, keys, values = queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)  # (B, H, T, Dh)
        if cache is not None:
            keys, values = cache.extend(setting.start, keys, values)
        mixed = self._mix(queries, keys, values, setting).transpose(1, 2)  # (B, T, H, Dh)
        if self.gate is not None:
            mixed = mixed * self.gate(x[..., : self.gate.in_features]).sigmoid()[..., None]
        x = self.projection(mixed.flatten(2))  # (B, T, D)
        return dropout(x, self.dropout, self.training)

    def _values_of_tokens(self, x: Tensor, setting: Setting) -> Tensor:
        """Return what the tokens x (B, T, D) add to their values (B, T, Hkv, Dh), by gates from 0 to 2."""
        assert self.value_embedding is not None and self.value_gate is not None and setting.inputs is not None
        gates = 2 * self.value_gate(x[..., : self.value_gate.in_features]).sigmoid()  # (B, T, Hkv)
        values: Tensor = self._heads(self.value_embedding(setting.inputs)) * gates[..., None]
        return values

    def _mix(self, queries: Tensor, keys: Tensor, values: Tensor, setting: Setting) -> Tensor:
        """Return the values that each query (B, H, T, Dh) looks at, by their weights."""
        rate = self.dropout if self.training else 0.0
        if setting.products:
            return attend_by_products(queries, keys, values, setting.bias, setting.causal, rate)
        return F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=setting.mask,
            dropout_p=rate,
            is_causal=setting.causal,
            enable_gqa=self.grouped,
        )

    def weights(self, x: Tensor, setting: Setting) -> Tensor:
        """Return how much each position looks at each (B, H, T, T): what `forward` mixes by, written out."""
        queries, keys = (part.transpose(1, 2) for part in self._place(self._project(x)[0], setting))  # (B, H, T, Dh)
        keys = keys.repeat_interleave(queries.shape[1] // keys.shape[1], dim=1)
        scores = queries @ keys.transpose(2, 3) / self.head_width**0.5
        if setting.causal:
            ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(ahead, float("-inf"))
        elif setting.mask is not None:
            scores = scores.masked_fill(~setting.mask, float("-inf"))
        weights: Tensor = scores.softmax(dim=-1)
        return weights

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return queries and keys (B, T, H + Hkv, Dh), and values (B, T, Hkv, Dh).

        One product reads x once, and is worth the copy of the matrices.
        """
        matrices = (self.query, self.key, self.value)
        bias = torch.cat([matrix.bias for matrix in matrices]) if self.query.bias is not None else None
        product = F.linear(x, torch.cat([matrix.weight for matrix in matrices]), bias)  # (B, T, D + 2 Dkv)
        both, values = product.split((product.shape[-1] - self.value.out_features, self.value.out_features), dim=-1)
        return self._heads(both), self._heads(values)

    def _place(self, both: Tensor, setting: Setting) -> tuple[Tensor, Tensor]:
        """Normalise and turn queries and keys (B, T, H + Hkv, Dh); return each."""
        if self.qk_norm and setting.rotation is not None and self.query_gain is None:
            both = norm_and_rotate(both, self.eps, setting.rotation)
        else:
            both = rms_norm(both, self.eps) if self.qk_norm else both
            both = both if self.query_gain is None else both * self._gains().to(both.dtype)
            both = both if setting.rotation is None else rotate(both, setting.rotation)
        queries, keys = both.split(
            (self.query.out_features // self.head_width, self.key.out_features // self.head_width), dim=2
        )
        return queries, keys

    def _gains(self) -> Tensor:
        """Return the gain of each head of queries and keys (H + Hkv, Dh)."""
        assert self.query_gain is not None and self.key_gain is not None
        gains = (self.query_gain, self.key_gain)
        return torch.cat([gain.expand(heads, -1) for gain, heads in zip(gains, self.heads, strict=True)])

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], -1, self.head_width)


def attention_mask(length: int, start: int, causal: bool, segments: Tensor | None, device: torch.device) -> Tensor | None:
    """Return which positions each new position may look at, or None when "all up to itself" or "all" says it.

    Args:
        length: number of new positions T.
        start: number of cached positions; the columns of the mask are S = start + T.
        causal: look back only.
        segments: (B, T) document numbers, or None.
    """
    mask = None
    if causal and start and length > 1:
        mask = torch.ones(length, start + length, dtype=torch.bool, device=device).tril(start)[None, None]  # (1, 1, T, S)
    if segments is not None:
        mask = segments[:, None, :, None] == segments[:, None, None, :]  # (B, 1, T, T)
        mask = mask.tril() if causal else mask
    return mask
