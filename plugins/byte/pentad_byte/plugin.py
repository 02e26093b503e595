"""What this distribution offers; light, so that listing it imports no numpy."""

from __future__ import annotations

from collections.abc import Sequence

from pentad import Implementation, hookimpl


@hookimpl
def engine_tokenizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="byte",
            summary="Every byte a token: 256 bytes and the end of text. Nothing to train; the baseline.",
            source="own",
            factory="pentad_byte.tokenizer:Byte",
        )
    ]
