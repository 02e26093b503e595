"""How a unigram language model cuts a word: of all ways the likeliest (Kudo, 2018), shown with those that came near."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pentad import Tokenizer
from pentad_studio.tokens.pieces import Parts, shown_parts

MOST = 8
"""Ways that are shown."""


@dataclass(frozen=True)
class Way:
    """A way to cut a word.

    Args:
        pieces: its pieces, each with the natural logarithm of its probability.
        score: that of all of them.
        share: how likely it is beside the likeliest.
        taken: whether the tokenizer takes it.
    """

    pieces: list[tuple[Parts, float]]
    score: float
    share: str
    taken: bool


def ways_of(tokenizer: Tokenizer, word: str) -> list[Way]:
    """Return the likeliest ways to cut a word; none where the tokenizer does not choose by probability."""
    found = tokenizer.segmentations(word, MOST)
    own = tuple(int(token) for token in tokenizer.encode(word))
    return [
        Way(
            pieces=[(shown_parts(tokenizer.token_bytes(id)), score) for id, score in zip(way.ids, way.scores, strict=True)],
            score=way.score,
            share=f"{math.exp(way.score - found[0].score):.2g} times",
            taken=way.ids == own,
        )
        for way in found
    ]
