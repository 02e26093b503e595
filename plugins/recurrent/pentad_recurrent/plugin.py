"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_models() -> Sequence[Implementation]:
    return [
        Implementation(
            name="gated-deltanet",
            summary="Recurrent: a memory of keys and values that each token corrects, and that fades; O(1) a token.",
            factory="pentad_recurrent.model:GatedDeltaNet",
            options="pentad_recurrent.options:GatedDeltaNetOptions",
            advise="pentad_recurrent.sizing:advise",
        ),
        Implementation(
            name="retnet",
            summary="Recurrent: attention without softmax that fades with distance, at a rate of its own in each head.",
            factory="pentad_recurrent.model:RetNet",
            options="pentad_recurrent.options:RetNetOptions",
            advise="pentad_recurrent.sizing:advise",
        ),
        Implementation(
            name="linear-attention",
            summary="Recurrent: attention with a feature map in place of the softmax; the simplest of its kind.",
            factory="pentad_recurrent.model:LinearAttention",
            options="pentad_recurrent.options:LinearAttentionOptions",
            advise="pentad_recurrent.sizing:advise",
        ),
        Implementation(
            name="mingru",
            summary="Recurrent: a GRU whose gates look at the input alone, so that all tokens of a row are learned at once.",
            factory="pentad_recurrent.model:MinGRU",
            options="pentad_recurrent.options:MinGRUOptions",
            advise="pentad_recurrent.sizing:advise",
        ),
    ]
