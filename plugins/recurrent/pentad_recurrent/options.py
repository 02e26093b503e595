"""Options of the models; imports no torch, so that listing them is free."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option
from pentad_ngram.beside import order_option, weight_option


@dataclass(frozen=True, kw_only=True)
class RecurrentOptions:
    """What the models share. Beside the mixing of tokens, `activation=relu2, previous_tokens=0` of gpt is the same."""

    n_layer: int = option(3, "Number of blocks: a recurrence and an MLP each.", ge=1)
    n_embd: int = option(128, "Width of the features that run through the blocks.", ge=1)
    n_hidden: int | None = option(None, "Width inside each MLP; none means 4 n_embd.", ge=1)
    dropout: float = option(
        0.0,
        "Share of features dropped in training (Srivastava et al., 2014): embeddings, block outputs.",
        ge=0,
        lt=1,
        inherited=False,
    )
    logit_softcap: float = option(15.0, "Bound logits smoothly to this size by tanh; 0 leaves them as they are.", ge=0)
    ngram_order: int = order_option()
    ngram_weight: float = weight_option()

    @property
    def hidden(self) -> int:
        """Width inside each MLP."""
        return self.n_hidden or 4 * self.n_embd


@dataclass(frozen=True, kw_only=True)
class MatrixOptions(RecurrentOptions):
    """What models share whose memory is a matrix.

    Raises:
        ValueError: options that do not fit together.
    """

    n_head: int = option(2, "Heads per block, each with a memory of its own; divides n_embd.", ge=1)
    value_ratio: float = option(1.0, "Width of the values, as a multiple of the keys' n_embd / n_head.", gt=0, le=16)
    chunk: int = option(
        32,
        "Tokens whose products are made at once in training; the memory passes from chunk to chunk. Equal to rounding.",
        ge=1,
    )

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd must be a multiple of n_head, found {self.n_embd} and {self.n_head}")

    @property
    def key_width(self) -> int:
        """Features of a key."""
        return self.n_embd // self.n_head

    @property
    def value_width(self) -> int:
        """Features of a value."""
        return max(1, round(self.value_ratio * self.key_width))


@dataclass(frozen=True, kw_only=True)
class GatedDeltaNetOptions(MatrixOptions):
    """The shape of gated DeltaNet."""

    conv_size: int = option(4, "Tokens that queries, keys and values are mixed over before they are used.", ge=1, le=64)


@dataclass(frozen=True, kw_only=True)
class RetNetOptions(MatrixOptions):
    """The shape of RetNet.

    Raises:
        ValueError: options that do not fit together.
    """

    rope_base: float = option(10_000.0, "Longest wavelength of the rotation of queries and keys, in tokens over 2 pi.", gt=1)

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        super().__post_init__()
        if self.key_width % 2:
            raise ValueError(f"the rotation needs an even width n_embd / n_head, found {self.key_width}")


@dataclass(frozen=True, kw_only=True)
class LinearAttentionOptions(MatrixOptions):
    """The shape of linear attention."""


@dataclass(frozen=True, kw_only=True)
class MinGRUOptions(RecurrentOptions):
    """The shape of minGRU."""

    expansion: float = option(1.5, "Width of the state, as a multiple of n_embd.", gt=0, le=64)
    conv_size: int = option(4, "Tokens that the input is mixed over before it is used; 1 takes each by itself.", ge=1, le=64)

    @property
    def state_width(self) -> int:
        """Numbers that a block carries from token to token."""
        return max(1, round(self.expansion * self.n_embd))
