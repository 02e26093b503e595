"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_models() -> Sequence[Implementation]:
    return [
        Implementation(
            name="gpt",
            summary="Transformer: each token attends to those before it. GPT-2 is one setting, the defaults are a modern one.",
            source="Vaswani et al., Attention Is All You Need, 2017; presets: Radford et al., GPT-2, 2019, and others",
            compare_with=("rnn", "ngram"),
            factory="pentad_gpt.model:make",
            options="pentad_gpt.options:GPTOptions",
            advise="pentad_gpt.sizing:advise",
        )
    ]
