"""What this distribution offers; light, so that listing it imports neither tokenizers nor tiktoken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Implementation, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class BPEOptions:
    """Options of the byte-pair tokenizer."""

    vocab_size: int = option(
        1024, "Number of ids in all: 256 bytes, the merged pairs and the end of text.", ge=257, le=1_000_000
    )
    min_frequency: int = option(2, "How often a pair must stand in the training text to become a token.", ge=1)
    max_digits: int = option(3, "Most digits in one token.", ge=1, le=16)
    train_mb: int = option(100, "Maximum megabytes of text to train on; of more, a sample spread evenly over it.", ge=1)


@hookimpl
def engine_tokenizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="bpe",
            summary="Byte-pair encoding trained on your text; encodes fast, through tiktoken.",
            factory="pentad_bpe.tokenizer:BPE",
            options=BPEOptions,
            advise="pentad_bpe.sizing:advise",
        )
    ]
