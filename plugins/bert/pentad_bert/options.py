"""Options of the bidirectional transformer; imports no torch, so that listing them is free."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class BERTOptions:
    """The shape of the transformer.

    The defaults are BERT's design (Devlin et al., 2019) in a small size; BERT-base is
    `n_layer=12, n_head=12, n_embd=768, dropout=0.1`. `norm_first` lets deep ones train without a long warm-up (Xiong et al.,
    On Layer Normalization in the Transformer Architecture, 2020).

    Raises:
        ValueError: options that do not fit together.
    """

    n_layer: int = option(3, "Number of blocks.", ge=1)
    n_head: int = option(2, "Attention heads per block; divides n_embd.", ge=1)
    n_embd: int = option(128, "Width of the features that run through the blocks.", ge=1)
    n_hidden: int | None = option(None, "Width inside each MLP; none means 4 n_embd.", ge=1)
    norm_first: bool = option(False, "Normalise what enters each part of a block; BERT normalises what leaves it.")
    dropout: float = option(
        0.0, "Share of features dropped in training: embeddings, attention, block outputs.", ge=0, lt=1, inherited=False
    )
    init_std: float = option(0.02, "Standard deviation of embeddings and matrices at the start.", gt=0)

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd must be a multiple of n_head, found {self.n_embd} and {self.n_head}")

    @property
    def hidden(self) -> int:
        """Width inside each MLP."""
        return self.n_hidden or 4 * self.n_embd
