"""How large a transformer a text, a budget and a machine are worth: the ladder of sizes, and what each costs.

The rule that chooses is core's (`pentad.size_model`); its constants were measured with this model, see docs/sizing.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pentad import Advice, ModelCost, Situation, size_model
from pentad_ngram.beside import with_counts

if TYPE_CHECKING:
    from pentad_gpt.options import GPTOptions

LADDER = (
    (2, 32), (2, 64), (2, 96), (2, 128), (3, 128), (4, 128), (4, 192), (4, 256), (6, 256), (6, 384), (8, 512), (10, 640),
    (12, 768), (16, 1024), (24, 1024), (24, 1536), (32, 2048),
)  # fmt: skip
"""Layers and width, from small to large; from 12 x 768 on these are about GPT-2's."""

BYTES_PER_PARAMETER = 28
"""Weights, gradients, the optimizer's state and the copy on which steps are measured."""


def advise(options: GPTOptions, situation: Situation) -> Advice | None:
    """Choose layers, width, heads and dropout, as far as they are open."""
    advice = size_model(options, situation, list(_sizes(options, situation.open)), cost)
    if options.preset:
        return advice
    size = dataclasses.replace(options, **advice.values) if advice else options
    return with_counts(advice, situation, situation.tokens_for(flops_per_token(size, situation.as_trained)))


def cost(size: GPTOptions, situation: Situation) -> ModelCost:
    """Return what a size costs."""
    return ModelCost(
        parameters=compute_parameters(size, situation.vocab_size or 1024),
        flops_per_token=flops_per_token(size, situation),
        memory=memory(size, situation),
    )


def compute_parameters(options: GPTOptions, vocab_size: int) -> int:
    """Return the parameters that each token goes through: in the embeddings, attention, MLPs and head, without vectors."""
    width, head, layers = options.n_embd, options.head_width, options.n_layer
    attention = 2 * width * head * (options.n_head + options.kv_heads)
    experts = min(options.n_expert_active, options.n_expert) + options.n_expert_shared if options.n_expert else 1
    mlp = (3 if options.activation == "swiglu" else 2) * width * options.hidden * experts
    gates = options.n_head * options.gate_channels if options.head_gate else 0
    value_gates = _value_embeddings(options) * options.kv_heads * options.value_gate_channels
    return layers * (attention + gates + mlp) + value_gates + (options.previous_tokens + vocab_size) * width


def table_parameters(options: GPTOptions, vocab_size: int) -> int:
    """Return the parameters that are looked up: embeddings of tokens, of their values, and of n-grams."""
    values = _value_embeddings(options) * options.kv_heads * options.head_width
    return vocab_size * (options.n_embd + values) + (options.bigram_hash + options.trigram_hash) * options.n_embd


def _value_embeddings(options: GPTOptions) -> int:
    return sum(options.has_value_embedding(layer) for layer in range(options.n_layer))


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


def memory(size: GPTOptions, situation: Situation) -> float:
    """Return about how many bytes a training takes: what is kept for each parameter, and for each token of a step."""
    vocab_size = situation.vocab_size or 1024
    parameters = compute_parameters(size, vocab_size) + table_parameters(size, vocab_size)
    rows = situation.batch_size * situation.context_length
    per_layer = 20 * size.n_embd + 3 * size.hidden + 3 * size.n_head * situation.context_length
    return BYTES_PER_PARAMETER * parameters + 4 * rows * (size.n_layer * per_layer + 3 * vocab_size)
