"""Options of a model that learns beside counts of n-grams, and when counts are taken; imports no torch. See `counted`."""

from __future__ import annotations

import dataclasses
from typing import Any

from pentad import Advice, Situation, option

ORDER, ORDER_OF_BYTES = 4, 8
"""Tokens of the n-grams where the user leaves it open; the second where tokens are hardly longer than a byte."""

BYTES = 1.5
"""Bytes of a token from which on the first holds."""


def order_option() -> Any:
    """Return the option `ngram_order` of a model that may learn beside counts."""
    return option(
        0,
        "Add to the logits what counts of n-grams of so many tokens say, made of the training text, so that the model learns "
        "the rest (Li et al., 2022); 0 for none. Left open, a new model on a CPU has 4, or 8 with tokens of bytes.",
        ge=0,
        le=16,
    )


def weight_option() -> Any:
    """Return the option `ngram_weight` of such a model."""
    return option(0.5, "Factor of the log-probabilities that counts give, where there are any.", gt=0, le=1)


def with_counts(advice: Advice | None, situation: Situation) -> Advice | None:
    """Return a model's advice with counts of n-grams, where they are left open: on a CPU, where they cost little beside a step.

    Args:
        advice: of its size, or None.
        situation: the text and the machine.
    """
    wanted = "ngram_order" in situation.open and not situation.starts_from_run
    if not wanted or situation.n_train_tokens is None or situation.device != "cpu":
        return advice
    advice = Advice() if advice is None else advice
    order = ORDER if (situation.bytes_per_token or BYTES) >= BYTES else ORDER_OF_BYTES
    size, colon, why = advice.reason.partition(": ")
    reason = f"{size} beside {order}-grams{colon}{why}" if size else f"{order}-grams beside it"
    return dataclasses.replace(advice, values={**advice.values, "ngram_order": order}, reason=reason)
