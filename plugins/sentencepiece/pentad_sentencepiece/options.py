"""Options of this distribution, in a module that is imported only when one of them is chosen or shown."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class SentencePieceOptions:
    """Options of the sentencepiece tokenizer."""

    model_type: str = option(
        "unigram", "How pieces are chosen: unigram is probabilistic, bpe merges.", choices=("unigram", "bpe")
    )
    vocab_size: int = option(
        1024,
        "Number of ids in all: pieces, 256 bytes, the end of text and the unknown id.",
        ge=259,
        le=1_000_000,
    )
    character_coverage: float = option(
        0.9995, "Share of the text's characters that become pieces; the rest is spelled in bytes.", ge=0.98, le=1
    )
    byte_fallback: bool = option(
        True,
        "Spell other characters in bytes; false gives them one unknown id in place of the 256 bytes (lossy: what is lost costs "
        "8 bits a byte in scores).",
    )
    split_digits: bool = option(False, "Whether each digit is a piece of its own.")
    split_by_whitespace: bool = option(True, "Whether a piece ends before a space; false lets it hold several words.")
    split_by_number: bool = option(True, "Whether a piece ends between a number and what is not one.")
    split_by_unicode_script: bool = option(True, "Whether a piece ends where the script changes, as between 漢 and a.")
    max_piece_length: int = option(16, "Maximum characters of a piece.", ge=1, le=512)
    train_mb: int = option(
        10,
        "Maximum megabytes of text to train on; of more, an even sample (unigram takes about 5 seconds for each).",
        ge=1,
        le=2000,
    )
