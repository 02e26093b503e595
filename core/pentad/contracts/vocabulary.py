"""The vocabulary that a model knows: the tokenizer's ids, then those of the special tokens that the example builder names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pentad.contracts.tokenizer import Tokenizer


MASK = "mask"
"""The name of the special token that hides another one, in a builder whose models shall fill in."""


@dataclass(frozen=True, kw_only=True)
class SpecialToken:
    """A token that stands for no text: a mask, the turn of a speaker, the end of a turn.

    Args:
        name: what the builder calls it: `mask`. Lower-case letters, digits and underscores.
        drawable: whether generation may draw it.
        stops: whether it ends a sequence in generation; it is then not part of the sequence.
    """

    name: str
    drawable: bool = False
    stops: bool = False

    @property
    def spelling(self) -> str:
        """How it is shown: `<|mask|>`. Text with this spelling never becomes the token."""
        return f"<|{self.name}|>"


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Every id that a model knows, and what it is for.

    Args:
        tokenizer_size: ids of the tokenizer; its end of text is one of them.
        end_of_text: the id that separates documents; it may be drawn, and it ends a sequence.
        special: the builder's tokens; the first has the id `tokenizer_size`, and so on.
    """

    tokenizer_size: int
    end_of_text: int
    special: tuple[SpecialToken, ...] = field(default=())

    @classmethod
    def of(cls, tokenizer: Tokenizer, special: Sequence[SpecialToken] = ()) -> Vocabulary:
        """Return the vocabulary of a trained tokenizer and a builder's special tokens."""
        return cls(tokenizer_size=tokenizer.vocab_size, end_of_text=tokenizer.end_of_text, special=tuple(special))

    @property
    def size(self) -> int:
        """Number of ids."""
        return self.tokenizer_size + len(self.special)

    def id(self, name: str) -> int:
        """Return the id of a special token by its name.

        Raises:
            KeyError: the builder named no such token.
        """
        names = [token.name for token in self.special]
        if name not in names:
            raise KeyError(f"the vocabulary has no special token {name!r}; it has {', '.join(names) or 'none'}")
        return self.tokenizer_size + names.index(name)

    def spelling(self, token: int) -> str | None:
        """Return how a builder's special token is shown, or None for an id of the tokenizer."""
        return self.special[token - self.tokenizer_size].spelling if token >= self.tokenizer_size else None

    @property
    def drawable(self) -> npt.NDArray[np.bool_]:
        """Which ids (V,) generation may draw: the tokenizer's, and the special tokens that say so."""
        return np.array([True] * self.tokenizer_size + [token.drawable for token in self.special])

    @property
    def stops(self) -> frozenset[int]:
        """The ids that end a sequence."""
        ends = {self.tokenizer_size + number for number, token in enumerate(self.special) if token.stops}
        return frozenset({self.end_of_text} | ends)
