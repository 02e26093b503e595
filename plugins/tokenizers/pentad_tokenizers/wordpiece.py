"""WordPiece: each word is spelled with the longest pieces that fit, from left to right.

In style bytes, the default, ids 0 to 255 are the bytes, at any place in a word; then come longer pieces that begin a word,
then those inside one, then the end of text. A word takes the space in front of it along, so that each text comes back. In
style bert, 0 is the unknown id, and words are joined by single spaces.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from pentad import END_OF_TEXT, TokenIds, Tokenizer, utf8
from pentad_tokenizers.options import WordPieceOptions
from pentad_tokenizers.saving import damaged, read, untrained, write
from pentad_tokenizers.training import Pieces, bert_words, train
from pentad_tokenizers.words import WORDS

_KEPT_WORDS = 1 << 16
_LONGEST_KEPT = 64  # characters; longer words hardly come twice
_LONGEST_BERT_WORD = 100  # characters; a longer one is unknown, as in BERT
_UNKNOWN = "[UNK]"


class WordPiece(Tokenizer):
    """Longest pieces first. Not lossless in style bert."""

    def __init__(self, options: WordPieceOptions) -> None:
        self.lossless = options.style == "bytes"
        self.sample_bytes = options.train_mb * 1_000_000
        self._options = options
        self._pieces: Pieces | None = None
        self._tokens: list[bytes] = []
        self._ids: Callable[[str], Iterable[int]] = _nothing

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
        """Learn the pieces from texts.

        Raises:
            UsageError: the texts cannot give so many pieces, or hold a lone surrogate.
        """
        self._become(train(texts, self._options))

    def encode(self, text: str) -> TokenIds:
        """Return the ids (T,)."""
        self._trained()
        if not text.isascii():
            utf8(text)
        return np.fromiter(self._ids(text), dtype=np.uint32)

    def encode_batch(self, texts: Sequence[str]) -> list[TokenIds]:
        """Encode many texts one after the other: Python's threads would only wait for each other here."""
        return [self.encode(text) for text in texts]

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of an id; none for the end of text and the unknown id."""
        return self._tokens[token]

    def save(self, folder: Path) -> None:
        """Write the pieces."""
        pieces = self._trained()
        content = {"style": self._options.style, "lowercase": self._options.lowercase}
        write(folder, "wordpiece", {**content, "starting": pieces.starting, "continuing": pieces.continuing})

    def load(self, folder: Path) -> None:
        """Read the pieces.

        Raises:
            EngineError: the file is missing, damaged, or was made with another style.
        """
        content = read(folder, "wordpiece")
        for name in ("style", "lowercase"):
            if content.get(name) != getattr(self._options, name):
                raise damaged(folder, "wordpiece", f"it is not for {name} = {getattr(self._options, name)!r}")
        lists = [content.get(name) for name in ("starting", "continuing")]
        for pieces in lists:
            if not isinstance(pieces, list) or not all(isinstance(piece, str) and piece for piece in pieces):
                raise damaged(folder, "wordpiece", "its pieces are no list of texts")
            if len(set(pieces)) < len(pieces):
                raise damaged(folder, "wordpiece", "a piece stands in it twice")
        try:
            self._become(Pieces(*map(tuple, lists)))  # type: ignore[arg-type]
        except UnicodeEncodeError:
            raise damaged(folder, "wordpiece", "a piece is no text") from None

    def _become(self, pieces: Pieces) -> None:
        if self.lossless:
            starting, continuing = ([piece.encode("latin-1") for piece in part] for part in pieces)
            self._tokens = [*(bytes([byte]) for byte in range(256)), *starting, *continuing, b""]
            self._ids = _in_bytes(starting, continuing)
        else:
            spelled = [*(f" {piece}" for piece in pieces.starting), *pieces.continuing]
            self._tokens = [b"", *(piece.encode() for piece in spelled), b""]
            self._ids = _as_in_bert(pieces, self._options.lowercase)
        self._pieces = pieces

    def _trained(self) -> Pieces:
        if self._pieces is None:
            raise untrained("wordpiece")
        return self._pieces


def _nothing(text: str) -> Iterable[int]:
    raise untrained("wordpiece")


def _in_bytes(starting: Sequence[bytes], continuing: Sequence[bytes]) -> Callable[[str], Iterable[int]]:
    """Return the function from text to ids for pieces of two bytes or more; each single byte is its own id anywhere."""
    import regex

    first = {piece: 256 + place for place, piece in enumerate(starting)}
    later = {piece: 256 + len(starting) + place for place, piece in enumerate(continuing)}
    first_sizes, later_sizes = _sizes(first), _sizes(later)
    words = regex.compile(WORDS).findall

    def spell(word: str) -> list[int]:
        data, ids = word.encode(), list[int]()
        place, known, sizes = 0, first, first_sizes
        while place < len(data):
            for size in sizes[data[place]]:
                token = known.get(data[place : place + size])  # behind the end it is shorter, and fits where it is known
                if token is not None:
                    break
            else:
                token, size = data[place], 1
            ids.append(token)
            place += size
            known, sizes = later, later_sizes
        return ids

    remembered = lru_cache(_KEPT_WORDS)(spell)

    def ids(text: str) -> Iterable[int]:
        spellings = (remembered(word) if len(word) <= _LONGEST_KEPT else spell(word) for word in words(text))
        return itertools.chain.from_iterable(spellings)

    return ids


def _sizes(pieces: Iterable[bytes]) -> list[list[int]]:
    """Return for each first byte how long the pieces with it are, the longest first."""
    found: list[set[int]] = [set() for _ in range(256)]
    for piece in pieces:
        found[piece[0]].add(len(piece))
    return [sorted(sizes, reverse=True) for sizes in found]


def _as_in_bert(pieces: Pieces, lowercase: bool) -> Callable[[str], Iterable[int]]:
    """Return the function from text to ids that BERT's tokenizer is: clean, cut into words and punctuation, longest first."""
    import tokenizers
    from tokenizers import models

    spelled = [_UNKNOWN, *pieces.starting, *(f"##{piece}" for piece in pieces.continuing)]
    vocabulary = {piece: token for token, piece in enumerate(spelled)}
    model = models.WordPiece(vocabulary, unk_token=_UNKNOWN, max_input_chars_per_word=_LONGEST_BERT_WORD)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer, tokenizer.pre_tokenizer = bert_words(lowercase)

    def ids(text: str) -> Iterable[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    return ids
