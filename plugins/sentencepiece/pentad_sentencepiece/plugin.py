"""What this distribution offers; light, so that listing it imports no sentencepiece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pentad import Implementation, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class SentencePieceOptions:
    """Options of the sentencepiece tokenizer."""

    model_type: str = option(
        "unigram", "How pieces are chosen: unigram is probabilistic, bpe merges.", choices=("unigram", "bpe")
    )
    vocab_size: int = option(
        1024,
        "Number of ids in all: pieces, 256 bytes, the end of text and an unknown id that is never used.",
        ge=259,
        le=1_000_000,
    )
    character_coverage: float = option(
        0.9995, "Share of the text's characters that become pieces; the rest is spelled in bytes.", ge=0.9, le=1
    )
    split_digits: bool = option(False, "Whether each digit is a piece of its own.")
    max_piece_length: int = option(16, "Most characters in one piece.", ge=1, le=512)
    train_mb: int = option(
        10,
        "Maximum megabytes of text to train on; of more, an even sample (unigram takes about 5 seconds for each).",
        ge=1,
        le=2000,
    )


@hookimpl
def engine_tokenizers() -> Sequence[Implementation]:
    return [
        Implementation(
            name="sentencepiece",
            summary="SentencePiece trained on your text: unigram pieces, or byte-pair encoding.",
            factory="pentad_sentencepiece.tokenizer:SentencePiece",
            options=SentencePieceOptions,
        )
    ]
