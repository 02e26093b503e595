"""Byte-pair encoding: trained by `tokenizers`, encoded by `tiktoken`, which is about ten times faster; both give the same ids.

Gage, A New Algorithm for Data Compression, 1994; for words of a language: Sennrich, Haddow and Birch, Neural Machine
Translation of Rare Words with Subword Units, 2016; over bytes: Radford et al., Language Models are Unsupervised Multitask
Learners (GPT-2), 2019.

Why they are the same: both cut the text into the same words, and both merge inside a word the adjacent pair of lowest rank,
leftmost first. tiktoken merges any pair whose bytes are a token, the trainer's encoder only pairs that were learned; but when
all lower ranks are merged, a stretch of bytes that is a token is always split as it was when the token was learned, so no
other pair can come up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from pentad import END_OF_TEXT, EngineError, TokenIds, Tokenizer
from pentad_bpe.dropout import Dropout
from pentad_bpe.encoder import Encoder
from pentad_bpe.options import BPEOptions
from pentad_bpe.vocabulary import parse

_FILE = "tokenizer.json"


class BPE(Tokenizer):
    """Byte-level byte-pair encoding; ids are bytes first, then merges in the order in which they were learned."""

    def __init__(self, options: BPEOptions) -> None:
        self.sample_bytes = options.train_mb * 1_000_000
        self.random_cuts = options.dropout > 0
        self._options = options
        self._json = ""
        self._tokens: list[bytes] = []
        self._encoder: Encoder | None = None
        self._dropout: Dropout | None = None

    @property
    def vocab_size(self) -> int:
        """The number of ids, the end of text included."""
        self._trained()
        return len(self._tokens)

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """The end of text, the last id."""
        return {END_OF_TEXT: self.vocab_size - 1}

    def train(self, texts: Iterable[str]) -> None:
        """Learn the pairs from texts.

        Raises:
            UsageError: the texts cannot give so many tokens, or hold a lone surrogate.
        """
        from pentad_bpe.training import train  # encoding with a saved tokenizer needs no trainer

        self._become(train(texts, self._options))

    def encode(self, text: str) -> TokenIds:
        """Return the ids (T,), equal to those of the trainer's own encoder. Threads run side by side in here."""
        return self._trained().encode(text)

    def encode_randomly(self, text: str, source: np.random.Generator) -> TokenIds:
        """Return the ids (T,) of a training text in which merges are left out by the option `dropout`."""
        self._trained()
        assert self._dropout is not None
        return self._dropout.encode(text, source)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of an id; none for the end of text."""
        return self._tokens[token]

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`, which Hugging Face's `tokenizers` and `transformers` read too."""
        self._trained()
        (folder / _FILE).write_text(self._json, encoding="utf-8", newline="\n")

    def load(self, folder: Path) -> None:
        """Read `tokenizer.json`.

        Raises:
            EngineError: the file is missing, damaged, or was not written by `bpe`.
        """
        path = folder / _FILE
        try:
            self._become(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise EngineError(
                f"Expected a saved bpe tokenizer at {path}: {error.strerror}.",
                "Check the folder.",
                code="saved-file-unreadable",
            ) from None
        except ValueError as error:
            raise EngineError(
                f"The saved bpe tokenizer at {path} is damaged: {error}.", "Train it again.", code="tokenizer-damaged"
            ) from None

    def _become(self, json: str) -> None:
        vocabulary = parse(json)
        ranks = {token: rank for rank, token in enumerate(vocabulary.tokens)}
        self._encoder = Encoder(vocabulary.pattern, ranks, len(vocabulary.tokens))
        self._dropout = Dropout(self._options.dropout, vocabulary.tokens, vocabulary.merges, vocabulary.pattern, self._encoder)
        self._tokens = [*vocabulary.tokens, b""]
        self._json = json

    def _trained(self) -> Encoder:
        if self._encoder is None:
            raise EngineError(
                "The bpe tokenizer has no vocabulary yet.", "Train it on text, or load a saved one.", code="tokenizer-untrained"
            )
        return self._encoder
