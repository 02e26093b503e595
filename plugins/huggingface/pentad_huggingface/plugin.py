"""What this distribution offers; light, so that listing it imports no tokenizers."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_tokenizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="huggingface",
            summary="Any tokenizer.json, as the library tokenizers reads it; whether it is lossless is tried out.",
            source="Hugging Face, tokenizers, the library",
            factory="pentad_huggingface.tokenizer:HuggingFace",
            options="pentad_huggingface.options:HuggingFaceOptions",
            example="pentad_huggingface.example:example",
        )
    ]
