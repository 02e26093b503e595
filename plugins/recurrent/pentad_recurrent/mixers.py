"""What mixes tokens in a block, and three that use a matrix as memory; `mingru` has the one without."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad_recurrent.convolution import ShortConvolution
from pentad_recurrent.options import (
    GatedDeltaNetOptions,
    LinearAttentionOptions,
    MatrixOptions,
    RecurrentOptions,
    RetNetOptions,
)
from pentad_recurrent.recurrence import recur

State = tuple[Tensor, ...]
"""What a block carries on: its memory first, (B, H, K, V) where that is a matrix."""


@dataclass(frozen=True, eq=False)
class Row:
    """What is the same for all blocks of one call.

    Args:
        start: how many tokens came before.
        segments: (B, T) document numbers, or None.
        opens: (B, T), where a document begins; None for nowhere.
    """

    start: int
    segments: Tensor | None
    opens: Tensor | None


class Mixer(nn.Module):
    """What mixes the tokens of a row, each with those before it in its document."""

    def __init__(self, options: RecurrentOptions) -> None:
        super().__init__()
        self.options = options

    def empty(self, batch_size: int) -> State:
        """Return an empty memory."""
        raise NotImplementedError

    def forward(self, x: Tensor, row: Row, state: State) -> tuple[Tensor, State]:
        """Return x (B, T, D), mixed over tokens, and the state after the last."""
        raise NotImplementedError


class MatrixMixer(Mixer):
    """Queries, keys and values, each with a matrix of its own, as Muon orthogonalises each matrix by itself."""

    options: MatrixOptions

    def __init__(self, options: MatrixOptions) -> None:
        super().__init__(options)
        width, values = options.n_embd, options.n_head * options.value_width
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, values, bias=False)
        self.gate = nn.Linear(width, values, bias=False)
        self.output = nn.Linear(values, width, bias=False)

    def empty(self, batch_size: int) -> State:
        """Return an empty memory."""
        options = self.options
        return (self.query.weight.new_zeros(batch_size, options.n_head, options.key_width, options.value_width),)

    def heads(self, x: Tensor) -> Tensor:
        """Return x (B, T, H D) as (B, T, H, D)."""
        heads: Tensor = x.unflatten(-1, (self.options.n_head, -1))
        return heads

    def gated(self, x: Tensor, read: Tensor) -> Tensor:
        """Return what was read (B, T, H, V), gated by SiLU of the token x (B, T, D), as features (B, T, D)."""
        out: Tensor = self.output(read.flatten(2) * F.silu(self.gate(x)).to(read.dtype))
        return out


class DeltaMixer(MatrixMixer):
    """Gated DeltaNet: Yang, Kautz and Hatamizadeh, Gated Delta Networks: Improving Mamba2 with Delta Rule, 2024.

    What a token writes and how fast the memory decays depends on the token, the decay as in Mamba-2 (Dao and Gu, 2024).
    """

    options: GatedDeltaNetOptions

    def __init__(self, options: GatedDeltaNetOptions) -> None:
        super().__init__(options)
        heads, width = options.n_head, options.n_embd
        self.convolution = ShortConvolution(2 * width + heads * options.value_width, options.conv_size)
        self.write = nn.Linear(width, heads, bias=False)
        self.decay = nn.Linear(width, heads, bias=False)
        steps = torch.empty(heads).uniform_(math.log(1e-3), math.log(1e-1)).exp()
        self.decay_bias = nn.Parameter(steps + torch.log(-torch.expm1(-steps)))  # softplus of it is the step
        self.decay_log_rate = nn.Parameter(torch.empty(heads).uniform_(1, 16).log())
        self.gain = nn.Parameter(torch.ones(options.value_width))

    def empty(self, batch_size: int) -> State:
        """Return an empty memory, and no tokens before the convolution."""
        return (*super().empty(batch_size), self.convolution.empty(batch_size))

    def forward(self, x: Tensor, row: Row, state: State) -> tuple[Tensor, State]:
        """Return x (B, T, D), mixed over tokens, and the state after the last."""
        memory, before = state
        joined = torch.cat([self.query(x), self.key(x), self.value(x)], dim=-1)
        joined, before = self.convolution(joined, before, row.segments)
        width, values = self.options.n_embd, self.options.n_head * self.options.value_width
        queries, keys, values_ = (self.heads(part) for part in joined.float().split([width, width, values], dim=-1))
        rate = -self.decay_log_rate.float().exp() * F.softplus(self.decay(x).float() + self.decay_bias)
        scale = self.options.key_width**-0.5
        read, memory = recur(
            unit(queries) * scale,
            unit(keys),
            values_,
            rate,
            self.write(x).float().sigmoid(),
            row.opens,
            memory,
            self.options.chunk,
        )
        return self.gated(x, F.rms_norm(read, (read.shape[-1],), self.gain, 1e-6)), (memory, before)


class RetentionMixer(MatrixMixer):
    """RetNet: Sun et al., Retentive Network: A Successor to Transformer for Large Language Models, 2023.

    Head h fades by 1 - 2^(-5 - h) a token. Queries and keys are rotated by their position, what is read is normalised by head.
    """

    options: RetNetOptions
    fading: Tensor
    frequencies: Tensor

    def __init__(self, options: RetNetOptions) -> None:
        super().__init__(options)
        powers = torch.arange(options.n_head, dtype=torch.float64)
        self.register_buffer("fading", torch.log1p(-(2.0 ** (-5 - powers))).float(), persistent=False)
        pairs = torch.arange(0, options.key_width, 2, dtype=torch.float64) / options.key_width
        self.register_buffer("frequencies", (options.rope_base**-pairs).float(), persistent=False)

    def forward(self, x: Tensor, row: Row, state: State) -> tuple[Tensor, State]:
        """Return x (B, T, D), mixed over tokens, and the state after the last."""
        queries, keys, values = (self.heads(part(x).float()) for part in (self.query, self.key, self.value))
        positions = torch.arange(row.start, row.start + x.shape[1], device=x.device, dtype=torch.float32)
        angles = positions[:, None, None] * self.frequencies  # (T, 1, K / 2)
        queries, keys = turned(queries, angles), turned(keys, angles) * self.options.key_width**-0.5
        decay = self.fading.expand(*x.shape[:2], -1)
        read, memory = recur(queries, keys, values, decay, None, row.opens, state[0], self.options.chunk)
        return self.gated(x, F.layer_norm(read, (read.shape[-1],))), (memory,)


class LinearMixer(MatrixMixer):
    """Linear attention: Katharopoulos et al., Transformers are RNNs, 2020, with the feature map elu + 1; the gate is RetNet's.

    Nothing fades. The weights of what is read add up to 1: their sum is one more value, which is always 1.
    """

    options: LinearAttentionOptions

    def empty(self, batch_size: int) -> State:
        """Return an empty memory, with a column for the sum of the weights."""
        return (F.pad(super().empty(batch_size)[0], (0, 1)),)

    def forward(self, x: Tensor, row: Row, state: State) -> tuple[Tensor, State]:
        """Return x (B, T, D), mixed over tokens, and the state after the last."""
        queries, keys, values = (self.heads(part(x).float()) for part in (self.query, self.key, self.value))
        queries, keys = F.elu(queries) + 1, F.elu(keys) + 1
        values = F.pad(values, (0, 1), value=1.0)
        decay = values.new_zeros(values.shape[:3])
        read, memory = recur(queries, keys, values, decay, None, row.opens, state[0], self.options.chunk)
        return self.gated(x, read[..., :-1] / (read[..., -1:] + 1e-6)), (memory,)


def unit(x: Tensor) -> Tensor:
    """Return vectors x (…, D) of length 1."""
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + 1e-6)


def turned(x: Tensor, angles: Tensor) -> Tensor:
    """Turn each pair of neighbouring features of x (B, T, H, D) by an angle (T, 1, D / 2); Su et al., RoPE, 2021."""
    first, second = x.unflatten(-1, (-1, 2)).unbind(-1)
    cosine, sine = angles.cos(), angles.sin()
    return torch.stack([first * cosine - second * sine, first * sine + second * cosine], dim=-1).flatten(-2)
