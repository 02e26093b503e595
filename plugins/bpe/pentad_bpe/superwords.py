"""Pairs that merge over the borders of words, learned when the words are known: SuperBPE (Liu et al., 2025).

In the paper the first pairs are learned inside words, the rest without any cut, and texts are encoded without a cut by all of
them in this order. Here the text from which the second part learns is encoded in the same way, without a cut, so that a
stretch of bytes that is a token is split in a text as it was when the token was learned.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from pentad_bpe.encoder import Encoder
from pentad_bpe.splitting import pattern_of

MOST_BYTES = 4_000_000
"""Of a longer text, an even sample: hardly a passage stands in it twice, so that each token costs the trainer 200 bytes."""

LONGEST = 8
"""Most tokens of the first part in one of the second."""

_PIECE = 4096  # characters
_PART = 64  # tokens; the trainer's time is quadratic in them

# Token number k is this character for the trainer, one for private use, of which there are two planes.
_SYMBOLS = [*range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE)]
MOST_TOKENS = len(_SYMBOLS)

Merge = tuple[int, int]
"""Numbers of the two tokens that become the next one."""


class Sample:
    """Passes texts on and keeps an even sample of them."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self._size = self._number = 0
        self._step = 1

    def passing(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield the texts as they are."""
        for text in texts:
            for start in range(0, len(text), _PIECE):
                self._add(text[start : start + _PIECE])
            yield text

    def _add(self, piece: str) -> None:
        if self._number % self._step == 0:
            self.kept.append(piece)
            self._size += _n_bytes(piece)
        self._number += 1
        if self._size > MOST_BYTES:
            self.kept = self.kept[::2]
            self._size = sum(map(_n_bytes, self.kept))
            self._step *= 2


def _n_bytes(piece: str) -> int:
    return len(piece.encode("utf-8", "surrogatepass"))  # whether the text is valid is seen by who it is passed to


def learn(tokens: Sequence[bytes], texts: Iterable[str], most: int, min_frequency: int) -> list[Merge]:
    """Return up to so many further merges, in the order in which they apply.

    Args:
        tokens: what was learned inside words, single bytes first, by their ids.
        texts: to learn from, short ones.
        most: merges to learn.
        min_frequency: how often a pair must stand in the texts.
    """
    encoder = Encoder(pattern_of("none"), {token: rank for rank, token in enumerate(tokens)}, len(tokens))
    symbols = [chr(code) for code in _SYMBOLS[: len(tokens)]]
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\n", "removed")  # of symbols, none of which is that: nothing is cut
    trainer = trainers.BpeTrainer(
        vocab_size=len(tokens) + most,
        min_frequency=min_frequency,
        initial_alphabet=symbols,
        max_token_length=LONGEST,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_parts(texts, encoder, symbols), trainer=trainer)
    number = {symbol: token for token, symbol in enumerate(symbols)}
    spelled, merges = list(tokens), list[Merge]()
    ids = {token: place for place, token in enumerate(tokens)}
    for left, right in json.loads(tokenizer.to_str())["model"]["merges"]:
        token = spelled[number[left]] + spelled[number[right]]
        if token not in ids:  # it may be there already, split otherwise at the end of a part
            ids[token] = len(spelled)
            spelled.append(token)
            merges.append((number[left], number[right]))
        number[left + right] = ids[token]
    return merges


def _parts(texts: Iterable[str], encoder: Encoder, symbols: Sequence[str]) -> Iterator[str]:
    for text in texts:
        ids = encoder.encode(text).tolist()
        for start in range(0, len(ids), _PART):
            yield "".join(symbols[token] for token in ids[start : start + _PART])
