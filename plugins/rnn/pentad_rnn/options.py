"""Options of the recurrent network; imports no torch, so that listing them is free."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option, presets
from pentad_ngram.beside import order_option, weight_option

PRESETS = {
    "char-rnn": {"cell": "lstm", "n_layer": 2, "n_embd": 128, "dropout": 0.0, "tie_embeddings": False, "ngram_order": 0},
    "char-rnn-large": {"cell": "lstm", "n_layer": 2, "n_embd": 512, "dropout": 0.5, "tie_embeddings": False, "ngram_order": 0},
}
"""Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks, 2015: the defaults of char-rnn, and the network that
wrote like Paul Graham. It read characters as one-hot vectors, whose product with a matrix is an embedding."""


@presets(PRESETS)
@dataclass(frozen=True, kw_only=True)
class RNNOptions:
    """The shape of the recurrent network.

    Raises:
        ValueError: options that do not fit together.
    """

    preset: str | None = option(
        None,
        "A named network, which fills what is left open here, layers and width included. None means pentad's own defaults.",
        choices=tuple(PRESETS),
    )
    cell: str = option(
        "lstm",
        "What is computed at each token: LSTM (two states, four gates), GRU (one state, three gates) or the plain tanh cell.",
        choices=("lstm", "gru", "rnn"),
    )
    n_layer: int = option(2, "Number of recurrent layers.", ge=1)
    n_embd: int = option(256, "Width of the token embedding.", ge=1)
    n_hidden: int | None = option(None, "Width of the state and of the features; none means n_embd.", ge=1)
    dropout: float = option(
        0.0,
        "Share of features dropped in training (Zaremba et al., 2014): embeddings, between layers, before the head.",
        ge=0,
        lt=1,
        inherited=False,
    )
    tie_embeddings: bool = option(False, "Use the token embedding as the output head too.")
    ngram_order: int = order_option()
    ngram_weight: float = weight_option()

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.tie_embeddings and self.hidden != self.n_embd:
            raise ValueError(f"tie_embeddings needs n_hidden equal to n_embd, found {self.hidden} and {self.n_embd}")

    @property
    def hidden(self) -> int:
        """Width of the state."""
        return self.n_hidden or self.n_embd
