"""How large a recurrent model a text, a budget and a machine are worth: gpt's ladder and its rule (`pentad.size_model`).

How many tokens a parameter wants was measured for minGRU, with 2 layers of 32 to 128 trained for 15 and 60 CPU seconds
(docs/sizing.md). For the models whose memory is a matrix it was not; nor, for any of them, how many parameters a text feeds.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from pentad import Advice, ModelCost, Situation, size_model
from pentad_ngram.beside import with_counts
from pentad_recurrent.options import MatrixOptions, MinGRUOptions, RecurrentOptions

LADDER = (
    (2, 32), (2, 64), (2, 96), (2, 128), (3, 128), (4, 128), (4, 192), (4, 256), (6, 256), (6, 384), (8, 512), (10, 640),
    (12, 768), (16, 1024), (24, 1024), (24, 1536), (32, 2048),
)  # fmt: skip
"""Layers and width, from small to large."""

MINGRU_TOKENS_PER_PARAMETER = 0.4
"""Training tokens that a parameter of minGRU wants. In 15 s 2x96 was best, with 0.7; 2x128 had 0.3, 2x64 1.6."""

BYTES_PER_PARAMETER = 28
"""Weights, gradients, the optimizer's state and the copy on which steps are measured."""


def advise(options: RecurrentOptions, situation: Situation) -> Advice | None:
    """Choose layers, width, memories and dropout, as far as they are open."""
    sizes = _sizes(options, situation.open)
    if isinstance(options, MinGRUOptions):
        advice = size_model(options, situation, sizes, cost, tokens_per_parameter=MINGRU_TOKENS_PER_PARAMETER)
    else:
        advice = size_model(options, situation, sizes, cost)  # gpt's number, which was not measured for them
    size = dataclasses.replace(options, **advice.values) if advice else options
    return with_counts(advice, situation, situation.tokens_for(cost(size, situation.as_trained).flops_per_token))


def cost(size: RecurrentOptions, situation: Situation) -> ModelCost:
    """Return what a size costs: two operations for each parameter and for what a chunk multiplies, three times."""
    vocab_size = situation.vocab_size or 1024
    width = size.n_embd
    mixer = _mixer(size)
    parameters = size.n_layer * (mixer.parameters + 2 * width * size.hidden) + vocab_size * width
    rows = situation.batch_size * situation.context_length
    kept = size.n_layer * (mixer.kept + 3 * size.hidden) + 3 * vocab_size
    return ModelCost(
        parameters=parameters,
        flops_per_token=6 * (parameters + size.n_layer * mixer.multiplications),
        memory=BYTES_PER_PARAMETER * (parameters + vocab_size * width) + 4 * rows * kept,
    )


class _Mixer(NamedTuple):
    """What the mixing of a block costs.

    Args:
        parameters: of its matrices.
        multiplications: for a token, beside those of the matrices.
        kept: numbers that a token leaves for the backward pass, in the block but for its MLP.
    """

    parameters: int
    multiplications: int
    kept: int


def _mixer(size: RecurrentOptions) -> _Mixer:
    width = size.n_embd
    if isinstance(size, MinGRUOptions):
        state = size.state_width
        multiplications = width * size.conv_size + 4 * state
        return _Mixer(parameters=3 * width * state, multiplications=multiplications, kept=12 * width + 12 * state)
    assert isinstance(size, MatrixOptions)
    values = size.n_head * size.value_width
    return _Mixer(
        parameters=width * (2 * width + 3 * values),
        multiplications=2 * width * size.value_width + size.chunk * (width + 2 * values),
        kept=30 * width + 10 * values + 4 * size.n_head * size.chunk,
    )


def _sizes(options: RecurrentOptions, left_open: frozenset[str]) -> list[RecurrentOptions]:
    """Return the ladder, with what was given in place of its own; what does not fit together is skipped."""
    sizes: list[RecurrentOptions] = []
    for n_layer, n_embd in LADDER:
        values: dict[str, Any] = {"n_layer": n_layer, "n_embd": n_embd, "n_head": max(1, n_embd // 64)}
        values = {name: value for name, value in values.items() if name in left_open}
        if not isinstance(options, MatrixOptions):
            values.pop("n_head", None)
        elif "n_head" in values and "n_embd" not in values:
            values["n_head"] = next(heads for heads in range(max(1, options.n_embd // 64), 0, -1) if not options.n_embd % heads)
        try:
            size = dataclasses.replace(options, **values)
        except ValueError:
            continue
        if size not in sizes:
            sizes.append(size)
    return sizes
