"""What this distribution offers; light, so that listing it imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_models() -> Sequence[Implementation]:
    return [
        Implementation(
            name="bert",
            summary="Transformer in which each token attends to those on both sides: BERT, for builders that hide tokens.",
            source="Devlin et al., BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding, 2019",
            factory="pentad_bert.model:BERT",
            options="pentad_bert.options:BERTOptions",
            advise="pentad_bert.sizing:advise",
        )
    ]
