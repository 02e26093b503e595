"""Options of a model that learns beside counts of n-grams, and when counts are taken; imports no torch. See `counted`."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from pentad import Advice, Situation, option

ORDER, ORDER_OF_BYTES = 4, 8
"""Tokens of the n-grams where the user leaves it open; the second where tokens are hardly longer than a byte."""

BYTES = 1.5
"""Bytes of a token from which on the first holds."""

WEIGHT = 0.5
"""Of the log-probabilities that counts give, where nothing is known of the training."""

OF_ONE_PASS, LESS_FOR_FOUR_TIMES = 0.75, 0.2
"""The weight for one pass over the text, and what it loses when that is read four times as often (benchmarks/LOG.md)."""

LEAST, MOST = 0.5, 1.0


def order_option() -> Any:
    """Return the option `ngram_order` of a model that may learn beside counts."""
    return option(
        0,
        "Add to the logits what counts of n-grams of so many tokens say, made of the training text, so that the model learns "
        "the rest (Li et al., 2022); 0 for none. Left open, a new model without a preset has 4 on a CPU, or 8 where tokens are "
        "bytes.",
        ge=0,
        le=16,
    )


def weight_option() -> Any:
    """Return the option `ngram_weight` of such a model."""
    return option(
        WEIGHT, "Factor of the log-probabilities that counts give. Left open, it goes by the passes over the text.", gt=0, le=1
    )


def with_counts(advice: Advice | None, situation: Situation, tokens: float) -> Advice | None:
    """Return a model's advice with counts of n-grams, as far as they are left open: on a CPU, where they cost little in a step.

    Args:
        advice: of its size, or None.
        situation: the text and the machine.
        tokens: on which it will be trained, repeated ones counted each time; 0 if unknown.
    """
    text, wanted = situation.n_train_tokens, situation.open & {"ngram_order", "ngram_weight"}
    if not text or not wanted or situation.starts_from_run or situation.device != "cpu":
        return advice
    advice = Advice() if advice is None else advice
    order = ORDER if situation.train_bytes >= BYTES * text else ORDER_OF_BYTES
    values: dict[str, Any] = {"ngram_order": order, "ngram_weight": weight_for(min(tokens, advice.max_tokens or tokens) / text)}
    reason = advice.reason
    if "ngram_order" in wanted:
        size, colon, why = reason.partition(": ")
        reason = f"{size} beside {order}-grams{colon}{why}" if size else f"{order}-grams beside it"
    return dataclasses.replace(advice, values={**advice.values, **{name: values[name] for name in wanted}}, reason=reason)


def weight_for(passes: float) -> float:
    """Return the weight of counts by how often the text is read: what was read little is known by counting alone.

    In tenths, so that the choices stay when another step is timed: they are made until they do.
    """
    if not passes:
        return WEIGHT
    return round(min(MOST, max(LEAST, OF_ONE_PASS - LESS_FOR_FOUR_TIMES * math.log(passes, 4))), 1)
