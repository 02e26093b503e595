"""Options of the recurrent network; imports no torch, so that listing them is free."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class RNNOptions:
    """The shape of the recurrent network.

    Raises:
        ValueError: options that do not fit together.
    """

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
        "Share of features dropped in training: embeddings, between layers, before the head.",
        ge=0,
        lt=1,
        inherited=False,
    )
    tie_embeddings: bool = option(False, "Use the token embedding as the output head too.")

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.tie_embeddings and self.hidden != self.n_embd:
            raise ValueError(f"tie_embeddings needs n_hidden equal to n_embd, found {self.hidden} and {self.n_embd}")

    @property
    def hidden(self) -> int:
        """Width of the state."""
        return self.n_hidden or self.n_embd
