"""How large a transformer a text, a budget and a machine are worth, and how much it must be held back from memorising.

The largest size of a ladder is taken whose tokens are many enough for its parameters, and whose parameters are few enough for
the text. Parameters are counted as they compute: those of the blocks and of the head; the embedding is a look-up. Where each
number was measured, and where the rule extrapolates, stands in docs/sizing.md.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pentad import Advice, Situation

if TYPE_CHECKING:
    from pentad_gpt.options import GPTOptions

LADDER = (
    (2, 32), (2, 64), (2, 96), (2, 128), (3, 128), (4, 128), (4, 192), (4, 256), (6, 256), (6, 384), (8, 512), (10, 640),
    (12, 768), (16, 1024), (24, 1024), (24, 1536), (32, 2048),
)  # fmt: skip
"""Layers and width, from small to large; from 12 x 768 on these are about GPT-2's."""

TOKENS_PER_PARAMETER = 2.5
"""Training tokens, repeated ones counted each time, that a parameter wants: with fewer a smaller model learns more."""

TOKENS_WHERE_TIME_IS_FREE = 0.5
"""The same where the budget is an amount of text: from so many tokens a larger model learns more, and takes its time for it."""

ENOUGH_PASSES = 8.0
"""Passes over the text that are enough for any size: a small text is better read less often by a larger model."""

PARAMETERS_PER_TOKEN = 7.0
"""Parameters that a token of the text can feed, however long the training: larger models memorise sooner than they learn."""

DROPOUT = ((6.0, 0.0), (15.0, 0.1), (float("inf"), 0.2))
"""Passes over the text up to which features are dropped at this rate."""

MOST_PASSES = 20.0
"""Passes after which a model of the largest size that the text feeds learns nothing that the held-out text has."""

SMALL_TEXT = 50_000
"""Tokens of a text from which on that holds. A smaller one is passed more often, or the model has hardly begun to learn."""

LONGEST = 3600.0
"""Seconds that a training may take by its size where the budget is an amount of text and not a time."""

BYTES_PER_PARAMETER = 28
"""Weights, gradients, the optimizer's state and the copy on which steps are measured."""


def advise(options: GPTOptions, situation: Situation) -> Advice | None:
    """Choose layers, width, heads and dropout, as far as they are open."""
    sizes = list(_sizes(options, situation.open))
    if not sizes or (situation.tokens is None and not situation.flops):
        return None
    chosen = next((size for size in reversed(sizes) if _fits(size, situation)), sizes[0])
    tokens = situation.tokens_for(flops_per_token(chosen, situation))
    text = situation.n_train_tokens or tokens
    most = MOST_PASSES * text * max(1.0, math.sqrt(SMALL_TEXT / text))
    passes = min(tokens, most) / text
    values: dict[str, Any] = {"n_layer": chosen.n_layer, "n_embd": chosen.n_embd, "n_head": chosen.n_head}
    values = {name: value for name, value in values.items() if name in situation.open}
    dropout = next(rate for limit, rate in DROPOUT if passes <= limit)
    words = f"{chosen.n_layer} layers x {chosen.n_embd}" if values else ""
    if "dropout" in situation.open:
        values |= {"dropout": dropout}
        words = ", ".join(filter(None, [words, f"dropout {dropout:g} for {passes:.1f} passes" if dropout else ""]))
    reason = f"{words}: {situation.in_words}" if words else ""
    return Advice(values=values, reason=reason, max_tokens=most)


def compute_parameters(options: GPTOptions, vocab_size: int) -> int:
    """Return the parameters that each token goes through: attention, MLPs and head, without vectors."""
    width, head = options.n_embd, options.head_width
    attention = 2 * width * head * (options.n_head + options.kv_heads)
    experts = min(options.n_expert_active, options.n_expert) + options.n_expert_shared if options.n_expert else 1
    mlp = (3 if options.activation == "swiglu" else 2) * width * options.hidden * experts
    return options.n_layer * (attention + mlp) + vocab_size * width


def flops_per_token(options: GPTOptions, situation: Situation) -> float:
    """Return the operations of a token in training: two for each parameter, and the scores of attention, three times."""
    vocab_size = situation.vocab_size or 1024
    attention = 2 * options.n_layer * options.n_embd * situation.context_length
    return 6 * (compute_parameters(options, vocab_size) + attention)


def _sizes(options: GPTOptions, left_open: frozenset[str]) -> Iterator[GPTOptions]:
    """Yield the ladder, with what was given in place of its own; sizes that do not fit together are skipped."""
    seen = set()
    for n_layer, n_embd in LADDER:
        values: dict[str, Any] = {"n_layer": n_layer, "n_embd": n_embd}
        values = {name: value if name in left_open else getattr(options, name) for name, value in values.items()}
        for n_head in _heads(values["n_embd"], options.n_head_width) if "n_head" in left_open else (options.n_head,):
            try:
                size = dataclasses.replace(options, **values, n_head=n_head)
            except ValueError:
                continue
            if (size.n_layer, size.n_embd) not in seen:
                seen.add((size.n_layer, size.n_embd))
                yield size
            break


def _heads(width: int, head_width: int | None) -> list[int]:
    """Return numbers of heads, that whose heads are nearest to 64 wide first; of a given width, as many as fit into `width`."""
    if head_width is not None:
        return [max(1, width // head_width)]
    return sorted((heads for heads in range(1, width + 1) if width % heads == 0), key=lambda heads: abs(width / heads - 64))


def _fits(size: GPTOptions, situation: Situation) -> bool:
    """Say whether the budget and the text are large enough for a size, and the memory."""
    vocab_size = situation.vocab_size or 1024
    parameters, price = compute_parameters(size, vocab_size), flops_per_token(size, situation)
    tokens, text = situation.tokens_for(price), situation.n_train_tokens
    wanted = TOKENS_PER_PARAMETER if situation.tokens is None else TOKENS_WHERE_TIME_IS_FREE
    if tokens < wanted * parameters and not (text and tokens >= ENOUGH_PASSES * text):
        return False
    if text and parameters > PARAMETERS_PER_TOKEN * text:
        return False
    if situation.seconds is None and situation.flops is None and situation.seconds_for(price) > LONGEST:
        return False
    return not situation.free_memory or memory(size, situation) <= 0.8 * situation.free_memory


def memory(size: GPTOptions, situation: Situation) -> float:
    """Return about how many bytes a training takes: what is kept for each parameter, and for each token of a step."""
    vocab_size = situation.vocab_size or 1024
    parameters = compute_parameters(size, vocab_size) + vocab_size * size.n_embd
    rows = situation.batch_size * situation.context_length
    per_layer = 20 * size.n_embd + 3 * size.hidden + 3 * size.n_head * situation.context_length
    return BYTES_PER_PARAMETER * parameters + 4 * rows * (size.n_layer * per_layer + 3 * vocab_size)
