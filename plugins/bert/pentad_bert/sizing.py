"""How large a bidirectional transformer a text, a budget and a machine are worth.

The largest size of a ladder is taken whose tokens are many enough for its parameters, whose parameters are few enough for the
text, and which fits into memory. The figures are those that were measured for the causal transformer (docs/sizing.md). They
were not measured again for masked training, which learns from a seventh of the tokens that it reads: take them as a beginning.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pentad import Advice, Situation

if TYPE_CHECKING:
    from pentad_bert.options import BERTOptions

LADDER = (
    (2, 32), (2, 64), (2, 128), (3, 128), (4, 128), (4, 192), (4, 256), (6, 256), (6, 384), (8, 512), (12, 768), (24, 1024)
)  # fmt: skip
"""Layers and width, from small to large; the last two are BERT's base and large."""

TOKENS_PER_PARAMETER = 2.5
"""Training tokens, repeated ones counted each time, that a parameter wants."""

ENOUGH_PASSES = 8.0
"""Passes over the text that are enough for any size."""

PARAMETERS_PER_TOKEN = 7.0
"""Parameters that a token of the text can feed, however long the training."""

SECONDS = 3600.0
"""How long a training may take by its size where the budget is an amount of text and not a time."""

BYTES_PER_PARAMETER = 28
"""Weights, gradients, the optimizer's state and the copy on which steps are measured."""


def advise(options: BERTOptions, situation: Situation) -> Advice | None:
    """Choose layers, width and heads, as far as they are open."""
    sizes = list(_sizes(options, situation.open))
    if not sizes or (situation.tokens is None and not situation.flops):
        return None
    chosen = next((size for size in reversed(sizes) if _fits(size, situation)), sizes[0])
    values: dict[str, Any] = {"n_layer": chosen.n_layer, "n_embd": chosen.n_embd, "n_head": chosen.n_head}
    values = {name: value for name, value in values.items() if name in situation.open}
    reason = f"{chosen.n_layer} layers x {chosen.n_embd}: {situation.in_words}" if values else ""
    return Advice(values=values, reason=reason)


def parameters_of(size: BERTOptions, vocab_size: int) -> int:
    """Return the parameters of the matrices that a token goes through, the head's only where it is learned: a seventh."""
    width = size.n_embd
    return size.n_layer * (4 * width * width + 2 * width * size.hidden) + (vocab_size * width + width * width) // 7


def flops_per_token(size: BERTOptions, situation: Situation) -> float:
    """Return the operations of a token in training: two for each parameter, and the scores of attention, three times."""
    attention = 2 * size.n_layer * size.n_embd * situation.context_length
    return 6 * (parameters_of(size, situation.vocab_size or 1024) + attention)


def _sizes(options: BERTOptions, left_open: frozenset[str]) -> Iterator[BERTOptions]:
    """Yield the ladder, with what was given in place of its own, and heads that are as near to 64 wide as they can be."""
    seen = set()
    for n_layer, n_embd in LADDER:
        values: dict[str, Any] = {"n_layer": n_layer, "n_embd": n_embd}
        values = {name: value if name in left_open else getattr(options, name) for name, value in values.items()}
        width = values["n_embd"]
        if "n_head" in left_open:
            values["n_head"] = _heads(width)
        try:
            size = dataclasses.replace(options, **values)
        except ValueError:
            continue
        if (size.n_layer, size.n_embd) not in seen:
            seen.add((size.n_layer, size.n_embd))
            yield size


@functools.cache
def _heads(width: int) -> int:
    """Return the number of heads whose width is nearest to 64."""
    return min((heads for heads in range(1, width + 1) if width % heads == 0), key=lambda heads: abs(width / heads - 64))


def _fits(size: BERTOptions, situation: Situation) -> bool:
    parameters, price = parameters_of(size, situation.vocab_size or 1024), flops_per_token(size, situation)
    tokens, text = situation.tokens_for(price), situation.n_train_tokens
    if tokens < TOKENS_PER_PARAMETER * parameters and not (text and tokens >= ENOUGH_PASSES * text):
        return False
    if text and parameters > PARAMETERS_PER_TOKEN * text:
        return False
    if situation.seconds is None and situation.flops is None and situation.seconds_for(price) > SECONDS:
        return False
    return not situation.free_memory or memory(size, situation) <= 0.8 * situation.free_memory


def memory(size: BERTOptions, situation: Situation) -> float:
    """Return about how many bytes a training takes: what is kept for each parameter, and for each token of a step."""
    vocab_size, rows = situation.vocab_size or 1024, situation.batch_size * situation.context_length
    parameters = parameters_of(size, vocab_size) + (vocab_size + situation.context_length) * size.n_embd
    per_layer = 20 * size.n_embd + 3 * size.hidden + 3 * size.n_head * situation.context_length
    return BYTES_PER_PARAMETER * parameters + 4 * rows * (size.n_layer * per_layer + vocab_size)
