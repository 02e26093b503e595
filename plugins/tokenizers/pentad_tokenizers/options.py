"""Options of WordPiece."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


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
