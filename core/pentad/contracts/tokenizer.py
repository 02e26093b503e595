"""The tokenizer contract: text to token ids and back.

A tokenizer's factory is called as `factory(options)` and returns an untrained `Tokenizer`, which is then either trained on
text or loaded from a folder. Importing this module imports numpy and no torch.
"""

from __future__ import annotations

import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pentad.system.errors import UsageError

TokenIds = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Segmentation:
    """A way to cut a text, for those who look at how a tokenizer chooses.

    Args:
        ids: (T,) its pieces.
        scores: (T,) the natural logarithm of each one's probability.
    """

    ids: tuple[int, ...]
    scores: tuple[float, ...]

    @property
    def score(self) -> float:
        """The natural logarithm of the probability of all of it, under a unigram model."""
        return math.fsum(self.scores)


class Tokenizer(ABC):
    """Text to ids and back.

    Promises, each checked by the conformance kit:

    - Lossless: `decode(encode(text)) == text` for any text that UTF-8 can hold, or the class says `lossless = False`.
    - Every byte is accounted for: the `token_bytes` of an encoded text, joined, are the text's UTF-8 bytes. Bytes that are
      lost cost 8 bits each in a score (`count_lost_bytes`), also where the class does not say so.
    - `encode` never returns a special token, whatever the text says; `encode_with_special` does, because the caller asked.
    - `encode_batch` equals `encode` on each text.
    - After `save` and `load`, ids and texts are the same.
    """

    lossless: bool = True

    sample_bytes: int | None = 100_000_000
    """Maximum bytes of text that `train` is given: of more, a sample spread evenly over it; None for all. A vocabulary of 32k
    changes little beyond the default. Set it in the class, or in `__init__` from an option."""

    random_cuts: bool = False
    """Whether training text is cut by `encode_randomly` instead of `encode`. Set it in `__init__` from an option."""

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of ids, special tokens included: every id is below it. Known after `train` or `load`."""

    @property
    @abstractmethod
    def special_tokens(self) -> Mapping[str, int]:
        """Spelling to id of each special token; holds `<|endoftext|>`, which separates documents."""

    @abstractmethod
    def train(self, texts: Iterable[str]) -> None:
        """Learn the vocabulary from texts, consumed once. A tokenizer with a fixed vocabulary does nothing here.

        Raises:
            UsageError: the texts cannot give the vocabulary that the options ask for.
        """

    def source_fingerprint(self) -> str:
        """Return what tells apart files that the options name: their digest. Empty where the options alone decide.

        Asked before `train`, and never of a tokenizer that is loaded: a run keeps a copy of what it was made of.

        Raises:
            UsageError: a file is missing or is not what it should be.
        """
        return ""

    @abstractmethod
    def encode(self, text: str) -> TokenIds:
        """Return the ids (T,) of a text, none of them special.

        Raises:
            UsageError: the text holds a lone surrogate, which no UTF-8 text can.
        """

    @abstractmethod
    def token_bytes(self, token: int) -> bytes:
        """Return the bytes that an id stands for; empty for a special token."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything that `load` needs as files into an existing empty folder."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Become the tokenizer that was saved into the folder.

        Raises:
            EngineError: a file is missing or damaged.
        """

    @property
    def end_of_text(self) -> int:
        """The id that separates documents."""
        return self.special_tokens[END_OF_TEXT]

    def encode_randomly(self, text: str, source: np.random.Generator) -> TokenIds:
        """Return the ids (T,) of a training text, cut in a way that is drawn at random; as by `encode` unless overridden.

        They stand for the same bytes as those of `encode`, which cuts whatever is not training text: what is scored, prompts,
        answers. A word may be cut otherwise each time it occurs (subword regularization: Kudo, 2018).

        Args:
            text: a training text, or a part of one.
            source: what to draw from, and from nothing else: the same text and the same source give the same ids.
        """
        del source
        return self.encode(text)

    def encode_batch(self, texts: Sequence[str]) -> list[TokenIds]:
        """Encode many texts in parallel on the cores of this machine; equal to `encode` on each."""
        groups = list(_groups(texts))
        if len(groups) < 2:
            return self._encode_group(texts)
        with ThreadPoolExecutor(min(os.cpu_count() or 1, len(groups))) as pool:
            return [ids for group in pool.map(self._encode_group, groups) for ids in group]

    def _encode_group(self, texts: Sequence[str]) -> list[TokenIds]:
        return [self.encode(text) for text in texts]

    def segmentations(self, text: str, most: int) -> Sequence[Segmentation]:
        """Return the likeliest ways to cut a text, the likeliest first, of which `encode` takes the first.

        Nothing depends on it but what a person is shown. None where a tokenizer does not choose by probability, or has none for
        a part of the text.

        Args:
            text: a word or a few.
            most: how many ways at most.
        """
        del text, most
        return ()

    def encode_with_special(self, text: str) -> TokenIds:
        """Encode a text in which the spellings of special tokens mean the special tokens."""
        special = self.special_tokens
        longest_first = sorted(special, key=len, reverse=True)
        parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", text)  # text and spelling in turn
        pieces = [
            np.array([special[part]], dtype=np.uint32) if number % 2 else self.encode(part) for number, part in enumerate(parts)
        ]
        return np.concatenate(pieces)

    def decode_bytes(self, tokens: Iterable[int]) -> bytes:
        """Return the bytes of the tokens, special tokens left out. Exact, also where the bytes are no valid UTF-8."""
        return b"".join(self.token_bytes(int(token)) for token in tokens)

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of the tokens; bytes that are no valid UTF-8 become U+FFFD."""
        return self.decode_bytes(tokens).decode("utf-8", errors="replace")


END_OF_TEXT = "<|endoftext|>"

_RESYNC = ((16, 4096), (4, 64), (1, 16))
"""(bytes that must stand together, how far ahead they are looked for) behind bytes that a tokenizer changed."""


def count_lost_bytes(tokenizer: Tokenizer, text: str, ids: Iterable[int]) -> int:
    """Return how many UTF-8 bytes of a text its ids do not give back in order; 0 for a tokenizer that says it is lossless.

    Exact where text is left out at ids that stand for nothing, as an unknown id does; never fewer than are missing.

    Args:
        tokenizer: made the ids; need not be lossless.
        text, ids: the text, and what it was encoded to.
    """
    if tokenizer.lossless:
        return 0
    data = text.encode()
    pieces = [tokenizer.token_bytes(int(token)) for token in ids]
    place = lost = 0
    for number, piece in enumerate(pieces):
        found = place if data.startswith(piece, place) else _next_place(data, place, pieces, number)
        if found < 0:  # the piece is not in the text; it stands for something else, and what follows may stand there
            found = data.find(_together(pieces, number + 1, 3), place, place + len(piece) + 8)
            piece = b""
        if found >= 0:
            lost += found - place
            place = found + len(piece)
    return lost + len(data) - place


def _next_place(data: bytes, place: int, pieces: Sequence[bytes], number: int) -> int:
    """Return where in the text, from a place on, a piece comes up that does not stand right there, or -1."""
    if number and not pieces[number - 1]:  # behind an unknown id
        return data.find(pieces[number], place, place + 4096)
    following = _together(pieces, number + 1, 3)
    if len(following) >= 3 and data.find(following, place, place + len(pieces[number]) + 8) >= 0:
        return -1
    for n_bytes, distance in _RESYNC:
        found = data.find(_together(pieces, number, n_bytes), place, place + distance)
        if found >= 0:
            return found
    return -1


def _together(pieces: Sequence[bytes], number: int, n_bytes: int) -> bytes:
    """Return the bytes of pieces from a number on, so many or as many as come before an unknown id."""
    together = b""
    for place in range(number, len(pieces)):
        together += pieces[place]
        if not pieces[place] or len(together) >= n_bytes:
            break
    return together


_GROUP_CHARACTERS = 64 * 1024


def _groups(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield texts that follow each other, long enough together that handing them to a thread costs next to nothing."""
    start = length = 0
    for end, text in enumerate(texts, 1):
        length += len(text)
        if length >= _GROUP_CHARACTERS:
            yield texts[start:end]
            start, length = end, 0
    if start < len(texts):
        yield texts[start:]


def utf8(text: str) -> bytes:
    """Return the UTF-8 bytes of a text.

    Raises:
        UsageError: the text holds a lone surrogate.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        found = f"U+{ord(text[error.start]):04X}"
        raise UsageError(
            f"The text must be valid Unicode; found a lone surrogate ({found}) at character {error.start}.",
            "Remove it, or replace it by U+FFFD.",
            code="text-not-unicode",
        ) from None
