"""The options of the adapters."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class LoRAOptions:
    """How much is learned, and where."""

    rank: int = option(8, "Rank of what is added to each matrix.", ge=1)
    alpha: float = option(16.0, "Factor of what is added, divided by the rank.", gt=0)
    dropout: float = option(0.0, "Share of the input features that the added product does not see in a step.", ge=0, lt=1)
    matrices: tuple[str, ...] = option(
        (), "Names of the matrices to adapt, with * as in file names (*.attention.*); all where none is given."
    )
    special_tokens: bool = option(
        True, "Learn the vectors of the builder's special tokens too, which are new where the run before had no such tokens."
    )


@dataclass(frozen=True, kw_only=True)
class FreezeOptions:
    """What is left to learn."""

    blocks: int = option(0, "Learn the last so many blocks.", ge=0)
    head: bool = option(True, "Learn the head, where it is not tied to the embedding.")
    norms: bool = option(False, "Learn gains and biases everywhere.")


@dataclass(frozen=True, kw_only=True)
class SoftPromptOptions:
    """How much is learned."""

    length: int = option(16, "Vectors in front of each document.", ge=1)
    special_tokens: bool = option(
        True, "Learn the vectors of the builder's special tokens too, which are new where the run before had no such tokens."
    )


@dataclass(frozen=True, kw_only=True)
class IA3Options:
    """What is learned."""

    matrices: tuple[str, ...] = option(
        (), "Names of the matrices whose outputs are rescaled, with * as in file names; all where none is given."
    )
    special_tokens: bool = option(
        True, "Learn the vectors of the builder's special tokens too, which are new where the run before had no such tokens."
    )
