"""A small tokenizer.json for the conformance kit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

_TEXTS = ("A tokenizer cuts a text into pieces.", "The pieces of a text have numbers; a model reads the numbers.") * 3


def example(folder: Path) -> Mapping[str, str]:
    """Train byte pairs on a few sentences, save them into a folder, and return options that name the file."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|user|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXTS, trainer=trainer)
    path = folder / "tokenizer.json"
    path.write_text(tokenizer.to_str(), encoding="utf-8")
    return {"path": str(path)}
