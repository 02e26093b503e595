"""What this distribution offers; light, so that listing it imports no tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Implementation, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class HuggingFaceOptions:
    """Options of a tokenizer that was trained elsewhere."""

    path: str = option("", "The tokenizer.json, or the folder that holds it; the run keeps a copy.")
    end_of_text: str = option(
        "", "How the file spells the token that ends a text; left empty, the usual ones are looked for, and else one is added."
    )
    prefix_space: bool = option(
        True,
        "Keep the space that some tokenizers put in front of every text, so that ids are the library's; false leaves it out, "
        "without which many of them lose nothing.",
    )


@hookimpl
def engine_tokenizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="huggingface",
            summary="Any tokenizer.json, as the library tokenizers reads it; whether it is lossless is tried out.",
            factory="pentad_huggingface.tokenizer:HuggingFace",
            options=HuggingFaceOptions,
            example="pentad_huggingface.example:example",
        )
    ]
