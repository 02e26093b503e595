"""What this distribution offers; light, so that listing it imports no sentencepiece."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_tokenizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="sentencepiece",
            summary="SentencePiece trained on your text: unigram pieces, or byte-pair encoding.",
            source="Kudo and Richardson, SentencePiece, 2018; unigram: Kudo, Subword Regularization, 2018",
            factory="pentad_sentencepiece.tokenizer:SentencePiece",
            options="pentad_sentencepiece.options:SentencePieceOptions",
            advise="pentad_sentencepiece.sizing:advise",
        )
    ]
