"""How large a recurrent network a text, a budget and a machine are worth: gpt's rule, which was not fitted to it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from pentad import Advice, ModelCost, Situation, size_model

if TYPE_CHECKING:
    from pentad_rnn.options import RNNOptions

LADDER = (
    (1, 32), (1, 64), (1, 96), (1, 128), (2, 128), (2, 192), (2, 256), (2, 384), (2, 512), (3, 512), (3, 768), (3, 1024),
    (4, 1536), (4, 2048),
)  # fmt: skip
"""Layers and width, from small to large: a recurrent network wants width before depth."""

GATES = {"lstm": 4, "gru": 3, "rnn": 1}

BYTES_PER_PARAMETER = 28
"""Weights, gradients, the optimizer's state and the copy on which steps are measured."""


def advise(options: RNNOptions, situation: Situation) -> Advice | None:
    """Choose layers, width and dropout, as far as they are open; a preset has its own."""
    if options.preset is not None:
        sized = frozenset({"n_layer", "n_embd", "dropout"})
        situation = dataclasses.replace(situation, open=situation.open - sized)
    return size_model(options, situation, _sizes(options, situation.open), cost, fields=("n_layer", "n_embd"))


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
