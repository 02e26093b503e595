"""Options of minLSTM; imports no torch, so that listing them is free."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class MinLSTMOptions:
    """The shape of the network."""

    n_layer: int = option(4, "Number of blocks: a recurrence and a multilayer perceptron each.", ge=1)
    n_embd: int = option(192, "Width of the token embedding and of the features.", ge=1)
    expansion: float = option(1.5, "Width of the recurrent state, as a multiple of n_embd.", gt=0, le=64)
    mlp_ratio: float = option(4.0, "Width of the perceptron, as a multiple of n_embd.", gt=0, le=64)
    dropout: float = option(0.0, "Share of a block's output dropped in training.", ge=0, lt=1, inherited=False)
