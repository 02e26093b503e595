"""The parts of a block that are not attention: norm and MLP."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad.tools import dropout
from pentad_gpt.kernels import RMS_EPSILON, gelu_tanh, relu2, rms_norm
from pentad_gpt.options import GPTOptions

LAYER_NORM_EPSILON = 1e-5
"""GPT-2's."""


class Norm(nn.Module):
    """RMSNorm or LayerNorm (Ba et al., 2016), with or without a gain and a bias per channel."""

    def __init__(self, options: GPTOptions) -> None:
        super().__init__()
        self.rms = options.norm == "rmsnorm"
        self.eps = epsilon(options)
        width = options.n_embd
        self.weight = nn.Parameter(torch.ones(width)) if options.norm_gain else None
        self.bias = nn.Parameter(torch.zeros(width)) if options.norm_gain and options.bias and not self.rms else None

    def forward(self, x: Tensor) -> Tensor:
        """Return x (…, D), normalised."""
        if not self.rms:
            return F.layer_norm(x, (x.shape[-1],), self.weight, self.bias, self.eps)
        normed = rms_norm(x, self.eps)
        return normed if self.weight is None else normed * self.weight.to(normed.dtype)


def epsilon(options: GPTOptions) -> float:
    """Return what every norm of the model adds under its root."""
    return options.norm_eps or (RMS_EPSILON if options.norm == "rmsnorm" else LAYER_NORM_EPSILON)


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
    """Each position by itself: up, activation, down.

    Args:
        options: the shape.
        widths: how many times the hidden width it has.
    """

    def __init__(self, options: GPTOptions, widths: int = 1) -> None:
        super().__init__()
        gates, hidden = 2 if options.activation == "swiglu" else 1, widths * options.hidden
        self.up = nn.Linear(options.n_embd, gates * hidden, bias=options.bias)
        self.projection = nn.Linear(hidden, options.n_embd, bias=options.bias)
        self.activation = ACTIVATIONS[options.activation]
        self.dropout = options.dropout

    def forward(self, x: Tensor) -> Tensor:
        """Return x (…, D), transformed."""
        return dropout(self.transform(x), self.dropout, self.training)

    def transform(self, x: Tensor) -> Tensor:
        """Return the same without dropout."""
        x = self.projection(self.activation(self.up(x)))
        return x
