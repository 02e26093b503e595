"""Options of this distribution, in a module that is imported only when one of them is chosen or shown."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class CharOptions:
    """Options of the character tokenizer."""

    unseen: str = option(
        "bytes",
        "What becomes of a character without an id: bytes spells it in UTF-8 bytes (lossless); unknown gives all of them one "
        "id (lossy: what is lost costs 8 bits a byte in scores).",
        choices=("bytes", "unknown"),
    )
    max_characters: int = option(
        8192, "Most characters that get an id, the most frequent first; the others are unseen.", ge=1, le=1_114_112
    )
    min_frequency: int = option(1, "How often a character must stand in the training text to get an id.", ge=1)
    train_mb: int = option(100, "Maximum megabytes of text to learn from; of more, a sample spread evenly over it.", ge=1)


@dataclass(frozen=True, kw_only=True)
class WordPieceOptions:
    """Options of the WordPiece tokenizer."""

    vocab_size: int = option(
        1024, "Number of ids in all; style bytes holds the 256 bytes, style bert the unknown id.", ge=257, le=1_000_000
    )
    min_frequency: int = option(2, "How often a pair must stand in the training text to become a piece.", ge=1)
    style: str = option(
        "bytes",
        "bytes keeps every byte, white space too (lossless); bert cuts as BERT does: white space goes, a word with an unknown "
        "character becomes one id (lossy: what is lost costs 8 bits a byte in scores).",
        choices=("bytes", "bert"),
    )
    lowercase: bool = option(False, "In style bert: lower case, accents taken off.")
    train_mb: int = option(10, "Maximum megabytes of text to learn from; of more, a sample spread evenly over it.", ge=1)
