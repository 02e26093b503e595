"""Figures of generated texts and of tokenizers, as plain records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Text:
    """A generated text, or the held-out one; `text` continues `prompt`."""

    prompt: str
    text: str


@dataclass(frozen=True, kw_only=True)
class TextFigures:
    """What is measured of generated texts; each figure is a mean over `n_texts` texts.

    Args:
        n_texts: texts measured.
        repetition: share of a text's 4-grams of words that occurred in it before.
        distinct_1, distinct_2, distinct_3: different n-grams of words per n-gram, over all texts together.
        bits_per_byte: of the text under the model (generated text: under the one that wrote it).
        verbatim: share of the text's bytes in passages of at least `verbatim_bytes` bytes that occur in the training text.
        longest_verbatim: bytes of the longest such passage of any text; `longest_text` is that passage.
    """

    n_texts: int
    repetition: float
    distinct_1: float
    distinct_2: float
    distinct_3: float
    bits_per_byte: float | None
    verbatim: float | None
    verbatim_bytes: int
    longest_verbatim: int | None
    longest_text: str = ""


@dataclass(frozen=True, kw_only=True)
class SamplerFigures:
    """One sampler's texts with the models of one arm: figures over all seeds, and a figure per seed for the spread."""

    sampler: str
    figures: TextFigures
    by_seed: Mapping[str, TextFigures]
    texts: Sequence[Text]


@dataclass(frozen=True, kw_only=True)
class TokenizerFigures:
    """A tokenizer on held-out text, without any training of a model.

    Args:
        label: what tells it from the others.
        recipe: its table of options.
        failure: why it could not be trained.
        vocab_size: ids.
        n_bytes, n_tokens: of the held-out text.
        bytes_per_token, tokens_per_word: of it.
        used: share of the vocabulary that occurs in the held-out text.
        renyi_efficiency: evenness of the ids' use, Renyi entropy of order 2.5 over the vocabulary's logarithm (Zouhar et al.
            2023).
        encode_bytes_per_second: on one thread.
        round_trip_failures: documents of the held-out text that encoding and decoding changes.
        lengths: bytes of a token to the number of such tokens in the held-out text.
        longest: its longest tokens, as readable text.
    """

    label: str
    recipe: Mapping[str, Any]
    failure: str = ""
    vocab_size: int = 0
    n_bytes: int = 0
    n_tokens: int = 0
    bytes_per_token: float = 0.0
    tokens_per_word: float = 0.0
    used: float = 0.0
    renyi_efficiency: float = 0.0
    encode_bytes_per_second: float = 0.0
    round_trip_failures: int = 0
    lengths: Mapping[str, int] = field(default_factory=dict)
    longest: Sequence[str] = ()
