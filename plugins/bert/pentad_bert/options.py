"""Options of the bidirectional transformer; imports no torch, so that listing them is free."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option, presets

PRESETS = {"bert": {"position": "learned", "norm_first": False, "qk_norm": False, "init_std": 0.02}}
"""BERT's own design (Devlin et al., 2019)."""


@presets(PRESETS)
@dataclass(frozen=True, kw_only=True)
class BERTOptions:
    """The shape of the transformer.

    The preset `bert` is BERT's design in a small size; with `n_layer=12, n_head=12, n_embd=768, dropout=0.1` it is BERT-base.
    The defaults change what keeps a small one from learning in a short training, above all the size with which its matrices
    begin (docs/masking.md has figures). `norm_first` needs no long warm-up (Xiong et al., On Layer Normalization in the
    Transformer Architecture, 2020), and rotated queries and keys know how far apart tokens stand (Su et al., 2021).

    Raises:
        ValueError: options that do not fit together.
    """

    preset: str | None = option(
        None, "A named architecture, which fills what is left open here; none means pentad's own defaults.", choices=("bert",)
    )
    n_layer: int = option(3, "Number of blocks.", ge=1)
    n_head: int = option(2, "Attention heads per block; divides n_embd.", ge=1)
    n_embd: int = option(128, "Width of the features that run through the blocks.", ge=1)
    n_hidden: int | None = option(None, "Width inside each MLP; none means 4 n_embd.", ge=1)
    position: str = option(
        "rotary",
        "How the order of tokens is known: rotated queries and keys, or a learned vector per position.",
        choices=("rotary", "learned"),
    )
    norm_first: bool = option(True, "Normalise what enters each part of a block; BERT normalises what leaves it.")
    qk_norm: bool = option(True, "Normalise queries and keys, which keeps attention logits bounded.")
    dropout: float = option(
        0.0,
        "Share of features dropped in training (Srivastava et al., 2014): embeddings, attention, block outputs.",
        ge=0,
        lt=1,
        inherited=False,
    )
    init_std: float | None = option(
        None,
        "Standard deviation of the matrices at the start; none means 1/sqrt(their inputs). Embeddings begin with 0.02.",
        gt=0,
    )

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd must be a multiple of n_head, found {self.n_embd} and {self.n_head}")

        if self.position == "rotary" and (self.n_embd // self.n_head) % 2:
            raise ValueError(f"rotary positions need an even head width n_embd / n_head, found {self.n_embd // self.n_head}")

    @property
    def hidden(self) -> int:
        """Width inside each MLP."""
        return self.n_hidden or 4 * self.n_embd
