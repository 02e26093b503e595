"""Options of this distribution, in a module that is imported only when one of them is chosen or shown."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class BPEOptions:
    """Options of the byte-pair tokenizer."""

    vocab_size: int = option(
        1024, "Number of ids in all: 256 bytes, the merged pairs and the end of text.", ge=257, le=1_000_000
    )
    min_frequency: int = option(2, "How often a pair must stand in the training text to become a token.", ge=1)
    split_pattern: str = option(
        "fast",
        "How text is cut into words, inside which pairs merge: gpt2, cl100k, o200k as in OpenAI's vocabularies; fast is like "
        "gpt2 and encodes twice as fast; none cuts nowhere, so that a token may hold many words.",
        choices=("fast", "gpt2", "cl100k", "o200k", "none"),
    )
    max_digits: int = option(3, "Most digits in one token; gpt2 and none do not count them.", ge=1, le=16)
    superwords: float = option(
        0.0,
        "Share of the merges, the last ones, that are learned over the borders of words (SuperBPE): fewer and longer tokens.",
        ge=0,
        le=0.9,
    )
    dropout: float = option(
        0.0,
        "Chance that a merge is left out while training text is cut, each time anew (BPE dropout); other text is cut as ever.",
        ge=0,
        le=1,
    )
    train_mb: int = option(100, "Maximum megabytes of text to train on; of more, a sample spread evenly over it.", ge=1)


@dataclass(frozen=True, kw_only=True)
class TiktokenOptions:
    """Options of a vocabulary in tiktoken's format."""

    encoding: str | None = option(
        None,
        "A published encoding by its name; its file is path, or is looked for where tiktoken keeps it, never downloaded.",
        choices=("r50k_base", "p50k_base", "p50k_edit", "cl100k_base", "o200k_base", "o200k_harmony"),
    )
    path: str = option("", "A .tiktoken file: a token in base64 and its rank on each line. The run keeps a copy.")
    split_pattern: str = option(
        "cl100k",
        "How text is cut into words, where no encoding is named: as the vocabulary was made with.",
        choices=("fast", "gpt2", "cl100k", "o200k", "none"),
    )
    max_digits: int = option(3, "Most digits in one word, where no encoding is named; 1 in Qwen's files.", ge=1, le=16)
