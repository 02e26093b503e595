"""The parts of a block that are not attention: norms, rotary positions, activations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lm_engine_gpt.options import GPTOptions

EPSILON = 1e-5
"""GPT-2's; added to the mean square under the root."""


def rms_norm(x: Tensor) -> Tensor:
    """Scale the last dimension to a root mean square of 1 (Zhang and Sennrich, 2019), without a gain."""
    return F.rms_norm(x, (x.shape[-1],), eps=EPSILON)


class Norm(nn.Module):
    """RMSNorm or LayerNorm (Ba et al., 2016), with or without a gain and a bias per channel."""

    def __init__(self, options: GPTOptions) -> None:
        super().__init__()
        self.rms = options.norm == "rmsnorm"
        width = options.n_embd
        self.weight = nn.Parameter(torch.ones(width)) if options.norm_gain else None
        self.bias = nn.Parameter(torch.zeros(width)) if options.norm_gain and options.bias and not self.rms else None

    def forward(self, x: Tensor) -> Tensor:
        """Return x (…, D), normalised."""
        if not self.rms:
            return F.layer_norm(x, (x.shape[-1],), self.weight, self.bias, EPSILON)
        normed = rms_norm(x)
        return normed if self.weight is None else normed * self.weight.to(normed.dtype)


def rotary_table(length: int, head_width: int, base: float) -> Tensor:
    """Return cosines and sines (2, length, head_width / 2) of the angle of each pair of features at each position."""
    frequencies = base ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * frequencies  # (L, Dh/2)
    return torch.stack((angles.cos(), angles.sin())).float()


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Turn each pair of features by the angle of its position (RoPE: Su et al., 2021).

    Feature i is paired with i + Dh/2, which keeps both halves contiguous.

    Args:
        x: (B, T, H, Dh).
        rotation: cosines and sines (2, T, 1, Dh/2).
    """
    cosine, sine = rotation.to(x.dtype)
    first, second = x.chunk(2, dim=-1)  # (B, T, H, Dh/2) each
    return torch.cat((first * cosine - second * sine, first * sine + second * cosine), dim=-1)


def relu2(x: Tensor) -> Tensor:
    """Square of the positive part (Primer: So et al., 2021)."""
    return F.relu(x).square()


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU by the tanh formula, as GPT-2 has it (Hendrycks and Gimpel, 2016)."""
    return F.gelu(x, approximate="tanh")


def swiglu(x: Tensor) -> Tensor:
    """SiLU of one half times the other half (Shazeer, 2020): (…, 2 H) to (…, H)."""
    gate, value = x.chunk(2, dim=-1)
    return F.silu(gate) * value


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu2": relu2,
    "gelu": F.gelu,
    "gelu-tanh": gelu_tanh,
    "silu": F.silu,
    "relu": F.relu,
    "swiglu": swiglu,
}


class MLP(nn.Module):
    """Each position by itself: widen, bend, narrow."""

    def __init__(self, options: GPTOptions) -> None:
        super().__init__()
        gates = 2 if options.activation == "swiglu" else 1
        self.up = nn.Linear(options.n_embd, gates * options.hidden, bias=options.bias)
        self.projection = nn.Linear(options.hidden, options.n_embd, bias=options.bias)
        self.activation = ACTIVATIONS[options.activation]
        self.dropout = options.dropout

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, T, D), transformed."""
        x = self.projection(self.activation(self.up(x)))
        return F.dropout(x, self.dropout, self.training) if self.dropout else x
