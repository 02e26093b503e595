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
            source="Yang, Kautz and Hatamizadeh, Gated Delta Networks: Improving Mamba2 with Delta Rule, 2024",
            factory="pentad_recurrent.model:gated_deltanet",
            options="pentad_recurrent.options:GatedDeltaNetOptions",
            advise="pentad_recurrent.sizing:advise",
        ),
        Implementation(
            name="retnet",
            summary="Recurrent: attention without softmax that fades with distance, at a rate of its own in each head.",
            source="Sun et al., Retentive Network: A Successor to Transformer for Large Language Models, 2023",
            factory="pentad_recurrent.model:retnet",
            options="pentad_recurrent.options:RetNetOptions",
            advise="pentad_recurrent.sizing:advise",
        ),
        Implementation(
            name="linear-attention",
            summary="Recurrent: attention with a feature map in place of the softmax; the simplest of its kind.",
            source="Katharopoulos et al., Transformers are RNNs, 2020",
            factory="pentad_recurrent.model:linear_attention",
            options="pentad_recurrent.options:LinearAttentionOptions",
            advise="pentad_recurrent.sizing:advise",
        ),
        Implementation(
            name="mingru",
            summary="Recurrent: a GRU whose gates look at the input alone, so that all tokens of a row are learned at once.",
            source="Feng et al., Were RNNs All We Needed?, 2024",
            factory="pentad_recurrent.model:mingru",
            options="pentad_recurrent.options:MinGRUOptions",
            advise="pentad_recurrent.sizing:advise",
        ),
    ]
