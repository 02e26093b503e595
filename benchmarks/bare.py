"""The yardstick: GPT-2, recurrent networks and a training loop in plain torch, with nothing of the engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad import Tokens


class Block(nn.Module):
    """A block of GPT-2 without biases; `cache` holds keys and values (2, B, H, most, Dh) in generation."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv, self.mix = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, cache: Tensor | None = None, start: int = 0) -> Tensor:
        """Return x (B, T, D) after the block."""
        batch, length, width = x.shape
        split = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, width // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)  # (B, H, T, Dh) each
        if cache is not None:
            cache[0, :, :, start : start + length] = keys
            cache[1, :, :, start : start + length] = values
            keys, values = cache[:, :, :, : start + length]
        mixed = F.scaled_dot_product_attention(queries, keys, values, is_causal=length > 1)
        x = x + self.mix(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + cast(Tensor, self.down(F.gelu(self.up(self.norm2(x)))))


class GPT2(nn.Module):
    """Learned positions, blocks, a head that is the embedding."""

    def __init__(self, layers: int, heads: int, width: int, context: int, vocabulary: int) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                scale = 1 / math.sqrt(2 * layers) if name.endswith(("mix.weight", "down.weight")) else 1.0
                nn.init.normal_(parameter, std=0.02 * scale)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (B, T, V) of inputs (B, T)."""
        return F.linear(self.features(inputs), self.embedding.weight)

    def features(self, inputs: Tensor, caches: list[Tensor] | None = None, start: int = 0) -> Tensor:
        """Return features (B, T, D) of inputs (B, T) that stand at `start`."""
        x = self.embedding(inputs) + self.positions.weight[start : start + inputs.shape[1]]
        for index, block in enumerate(self.blocks):
            x = block(x, None if caches is None else caches[index], start)
        return cast(Tensor, self.norm(x))

    @torch.inference_mode()
    def generate(self, batch: int, length: int) -> Tensor:
        """Return ids (B, length + 1): the likeliest next one, again and again, from a static cache."""
        first: Block = self.blocks[0]  # type: ignore[assignment]
        width = self.embedding.embedding_dim
        caches = [torch.empty(2, batch, first.heads, length, width // first.heads) for _ in self.blocks]
        ids = torch.zeros(batch, length + 1, dtype=torch.int64)
        for at in range(length):
            features = self.features(ids[:, at : at + 1], caches, at)
            ids[:, at + 1] = F.linear(features[:, -1], self.embedding.weight).argmax(-1)
        return ids


class Recurrent(nn.Module):
    """Embedding, torch's own recurrent layers, a head."""

    def __init__(self, cell: str, layers: int, width: int, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.cell = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](width, width, layers, batch_first=True)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (B, T, V) of inputs (B, T)."""
        return cast(Tensor, self.head(self.cell(self.embedding(inputs))[0]))


def training_step(model: nn.Module, tokens: Tokens, batch_size: int, context: int) -> Callable[[], None]:
    """Return a function that does one step as a short script would: random windows, cross-entropy, clipping, fused AdamW."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), fused=True)
    data = tokens.ids.astype(np.int64)

    def step() -> None:
        starts = torch.randint(len(data) - context - 1, (batch_size,)).tolist()
        inputs = torch.stack([torch.from_numpy(data[start : start + context]) for start in starts])  # (B, T)
        targets = torch.stack([torch.from_numpy(data[start + 1 : start + context + 1]) for start in starts])
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step
