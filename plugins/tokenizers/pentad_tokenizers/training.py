"""Learn word pieces from text with Hugging Face's trainer.

WordPiece (Schuster and Nakajima, Japanese and Korean Voice Search, 2012; in BERT: Devlin et al., 2018) marks pieces that go on
inside a word. Google's trainer was never published; this one, as all public ones do, merges the most frequent pair of
neighbours, as byte-pair encoding does. The library's own trainer for word pieces numbers those inside a word in an order that
changes from run to run; so its trainer for byte pairs is used, on words whose symbols say whether they begin the word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import regex
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, trainers

from pentad import OptionsDoNotFit, utf8
from pentad_tokenizers.options import WordPieceOptions
from pentad_tokenizers.words import WORDS

LONGEST_WORD = 64
"""In training, longer runs without a cut are cut every so many characters: the trainer's time is quadratic in them."""

RUN_CHARACTERS = 2_000_000
"""In training, the most characters of words longer than 16: hardly two are the same, so that each costs the trainer memory."""

_LONG = 16

# Symbol number k is one of these characters for private use: from here on at the start of a word, from there on inside it.
_START, _INSIDE = 0xF0000, 0x100000
_MOST_SYMBOLS = 65_000

_CHUNK = 64 * 1024  # characters that the trainer is given at once


class Pieces(NamedTuple):
    """What was learned: pieces that begin a word, and pieces inside one. Bytes as Latin-1 in style bytes, else text."""

    starting: tuple[str, ...]
    continuing: tuple[str, ...]


def bert_words(lowercase: bool) -> tuple[normalizers.Normalizer, pre_tokenizers.PreTokenizer]:
    """Return how BERT cleans a text and cuts it into words and punctuation."""
    return normalizers.BertNormalizer(lowercase=lowercase, strip_accents=lowercase), pre_tokenizers.BertPreTokenizer()


def train(texts: Iterable[str], options: WordPieceOptions) -> Pieces:
    """Return the pieces. Of pairs that are equally frequent the one whose pieces were known first is merged.

    Raises:
        UsageError: the texts cannot give so many pieces, or hold a lone surrogate.
    """
    in_bytes = options.style == "bytes"
    words = _count_words(_sentences(texts, options.train_mb * 1_000_000), _cutter(options))
    if in_bytes:
        words = Counter({word.encode().decode("latin-1"): count for word, count in words.items()})
    # A character may be two pieces, at the start and inside; half of the ids are left for longer ones.
    symbols = _latin_1() if in_bytes else _frequent_characters(words, min(options.vocab_size // 4, _MOST_SYMBOLS))
    wanted = options.vocab_size - (257 if in_bytes else 2)  # bytes or the unknown id, and the end of text
    tokenizer = tokenizers.Tokenizer(models.BPE())
    beginning = tokenizers.Regex(f"[{chr(_START)}-{chr(_START + len(symbols))}]")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(beginning, "merged_with_next")
    trainer = trainers.BpeTrainer(
        vocab_size=wanted + (512 if in_bytes else 0),
        min_frequency=options.min_frequency,
        initial_alphabet=[chr(first + place) for first in (_START, _INSIDE) for place in range(256)] if in_bytes else [],
        show_progress=False,
    )
    tokenizer.train_from_iterator(_in_symbols(words, symbols), trainer=trainer)
    learned = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    shortest = 2 if in_bytes else 1  # in bytes the single ones are there anyway
    pieces = [piece for piece, _ in learned if len(piece) >= shortest]
    if len(pieces) < wanted:
        raise _too_large(options.vocab_size, options.vocab_size - wanted + len(pieces))
    return Pieces(
        tuple(_spelled(piece, symbols) for piece in pieces[:wanted] if ord(piece[0]) < _INSIDE),
        tuple(_spelled(piece, symbols) for piece in pieces[:wanted] if ord(piece[0]) >= _INSIDE),
    )


def _cutter(options: WordPieceOptions) -> Callable[[str], Iterable[str]]:
    if options.style == "bytes":
        words: Callable[[str], Iterable[str]] = regex.compile(WORDS).findall
        return words
    normalizer, cut = bert_words(options.lowercase)
    return lambda text: (word for word, _ in cut.pre_tokenize_str(normalizer.normalize_str(text)))


def _count_words(texts: Iterable[str], cut: Callable[[str], Iterable[str]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    long = _EvenSample()
    for text in texts:
        for word in cut(text):
            if len(word) <= _LONG:
                counts[word] += 1
            else:
                for at in range(0, len(word), LONGEST_WORD):
                    long.add(word[at : at + LONGEST_WORD])
    counts.update(long.kept)
    return counts


class _EvenSample:
    """Long words, as scripts without spaces have: all of them, or every second, fourth and so on, of `RUN_CHARACTERS`."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self._size = self._number = 0
        self._step = 1

    def add(self, word: str) -> None:
        """Take a word or leave it out: which of them stay depends on the text alone."""
        if self._number % self._step == 0:
            self.kept.append(word)
            self._size += len(word)
        self._number += 1
        if self._size > RUN_CHARACTERS:
            self.kept = self.kept[::2]
            self._size = sum(map(len, self.kept))
            self._step *= 2


def _latin_1() -> str:
    return "".join(map(chr, range(256)))


def _frequent_characters(words: Counter[str], most: int) -> str:
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    often = sorted(counts, key=lambda character: (-counts[character], character))
    return "".join(sorted(often[:most]))


def _in_symbols(words: Counter[str], symbols: str) -> Iterator[str]:
    """Yield every word as often as it stands in the text; one with a character that is no symbol is unknown, and left out."""
    at_start = {ord(character): _START + place for place, character in enumerate(symbols)}
    inside = {ord(character): _INSIDE + place for place, character in enumerate(symbols)}
    for word, count in words.items():
        if any(ord(character) not in inside for character in word):
            continue
        spelled = word[0].translate(at_start) + word[1:].translate(inside)
        at_once = max(1, _CHUNK // len(spelled))
        for done in range(0, count, at_once):
            yield spelled * min(at_once, count - done)


def _spelled(piece: str, symbols: Sequence[str]) -> str:
    return "".join(symbols[ord(symbol) - (_INSIDE if ord(symbol) >= _INSIDE else _START)] for symbol in piece)


def _too_large(asked: int, largest: int) -> OptionsDoNotFit:
    if largest < 257:
        return OptionsDoNotFit(
            f"A vocabulary of {asked} was asked for; the training text gives at most {largest}, and 257 is the least.",
            "Train on more text, or use --tokenizer.style bytes, which needs none.",
            code="vocabulary-too-large",
            fitting={"style": "bytes", "vocab_size": 257},
        )
    return OptionsDoNotFit(
        f"A vocabulary of {asked} was asked for; the training text gives at most {largest}.",
        f"Use --tokenizer.vocab-size {largest} or less, or train on more text.",
        code="vocabulary-too-large",
        fitting={"vocab_size": largest},
    )


def _sentences(texts: Iterable[str], most: int) -> Iterator[str]:
    for text in texts:
        if not text.isascii():
            utf8(text[:most])
        yield text[:most]
        most -= len(text)
        if most <= 0:
            return
