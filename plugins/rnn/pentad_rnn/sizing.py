"""How large a recurrent network a text, a budget and a machine are worth.

The rule is core's (`pentad.size_model`), with a ladder of its own and `TOKENS_PER_PARAMETER`: both were measured with LSTMs of
64 to 256, trained for 15 and 60 CPU seconds (docs/sizing.md). GRU, plain cell, longer trainings and what is larger go by them
too, unmeasured; how much the text can feed, and dropout, are as measured with gpt.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pentad import Advice, ModelCost, Situation, size_model
from pentad_ngram.beside import with_counts

if TYPE_CHECKING:
    from pentad_rnn.options import RNNOptions

LADDER = (
    (1, 32), (1, 64), (1, 96), (1, 128), (1, 192), (1, 256), (2, 256), (2, 384), (2, 512), (3, 512), (3, 768), (3, 1024),
    (4, 1536), (4, 2048),
)  # fmt: skip
"""Layers and width, from small to large: a recurrent network wants width before depth. In 60 s 1x256 was better than 2x128."""

TOKENS_PER_PARAMETER = 0.4
"""Training tokens that a parameter wants: a quarter of gpt's. In 15 s 1x192 was best, with 0.5; 1x256 had 0.2, 1x128 1.5."""

GATES = {"lstm": 4, "gru": 3, "rnn": 1}

BYTES_PER_PARAMETER = 28
"""Weights, gradients, the optimizer's state and the copy on which steps are measured."""


def advise(options: RNNOptions, situation: Situation) -> Advice | None:
    """Choose layers, width and dropout, as far as they are open; a preset has its own."""
    if options.preset is not None:
        sized = frozenset({"n_layer", "n_embd", "dropout", "ngram_order", "ngram_weight"})
        situation = dataclasses.replace(situation, open=situation.open - sized)
    sizes, fields = _sizes(options, situation.open), ("n_layer", "n_embd")
    advice = size_model(options, situation, sizes, cost, fields, tokens_per_parameter=TOKENS_PER_PARAMETER)
    size = dataclasses.replace(options, **advice.values) if advice else options
    return with_counts(advice, situation, situation.tokens_for(cost(size, situation.as_trained).flops_per_token))


def cost(size: RNNOptions, situation: Situation) -> ModelCost:
    """Return what a size costs: two operations for each parameter, three times."""
    vocab_size = situation.vocab_size or 1024
    gates, hidden = GATES[size.cell] * size.hidden, size.hidden
    parameters = gates * (size.n_embd + hidden + 2 * (size.n_layer - 1) * hidden) + vocab_size * hidden
    rows = situation.batch_size * situation.context_length
    kept = size.n_layer * (3 * gates + 2 * hidden) + 2 * size.n_embd + 3 * vocab_size
    return ModelCost(
        parameters=parameters,
        flops_per_token=6 * parameters,
        memory=BYTES_PER_PARAMETER * (parameters + vocab_size * size.n_embd) + 4 * rows * kept,
    )


def _sizes(options: RNNOptions, left_open: frozenset[str]) -> list[RNNOptions]:
    """Return the ladder, with what was given in place of its own; what does not fit together is skipped."""
    sizes: list[RNNOptions] = []
    for n_layer, n_embd in LADDER:
        values: dict[str, Any] = {"n_layer": n_layer, "n_embd": n_embd}
        try:
            size = dataclasses.replace(options, **{name: value for name, value in values.items() if name in left_open})
        except ValueError:
            continue
        if size not in sizes:
            sizes.append(size)
    return sizes
