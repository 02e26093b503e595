"""How many passes counting is worth: one, as a second one would count every n-gram again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pentad import Advice, Situation

if TYPE_CHECKING:
    from pentad_ngram.options import NgramOptions


def advise(options: NgramOptions, situation: Situation) -> Advice | None:
    """End the counting after one pass over the text."""
    if situation.n_train_tokens is None:
        return None
    return Advice(reason=f"{options.order}-grams, counted once", max_tokens=float(situation.n_train_tokens))
