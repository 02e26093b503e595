"""What this distribution offers; light, so that listing it imports neither numpy nor tokenizers."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_tokenizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="char",
            summary="Every character of your text an id; others are spelled in bytes.",
            source="own; characters as ids: Karpathy, char-rnn, 2015",
            factory="pentad_tokenizers.char:Char",
            options="pentad_tokenizers.char:CharOptions",
        ),
        Implementation(
            name="wordpiece",
            summary="WordPiece trained on your text: the longest piece that fits, from left to right.",
            source="Schuster and Nakajima, Japanese and Korean Voice Search, 2012; in BERT: Devlin et al., 2018",
            factory="pentad_tokenizers.wordpiece:WordPiece",
            options="pentad_tokenizers.options:WordPieceOptions",
            advise="pentad_tokenizers.sizing:advise",
        ),
    ]
