"""How byte-pair encoding puts a word together: bytes first, then the merge that was learned earliest, again and again.

Which merge was learned when shows in the ids where a vocabulary is ordered by it, as tiktoken's are: the pair whose merged
piece has the lowest id is merged first (Sennrich et al., 2016, on bytes as in GPT-2). Whether a tokenizer works so is found
out, not assumed: the steps are shown where they end at the tokenizer's own pieces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pentad import Tokenizer

MOST_BYTES = 64
"""Of a word that is put together step by step."""


@dataclass(frozen=True)
class Merge:
    """A step.

    Args:
        pieces: the word after it.
        merged: the number of the piece that it made, or None before the first.
        id: of that piece.
    """

    pieces: tuple[bytes, ...]
    merged: int | None = None
    id: int | None = None


def ranks_of(tokenizer: Tokenizer) -> dict[bytes, int]:
    """Return the id of each piece of a vocabulary; the lowest where two ids stand for the same bytes."""
    special = set(tokenizer.special_tokens.values())
    ranks: dict[bytes, int] = {}
    for token in range(tokenizer.vocab_size):
        if token not in special:
            ranks.setdefault(tokenizer.token_bytes(token), token)
    ranks.pop(b"", None)
    return ranks


def merge_steps(word: bytes, ranks: Mapping[bytes, int]) -> list[Merge]:
    """Merge the pair of the lowest rank until there is none.

    Args:
        word: its UTF-8 bytes.
        ranks: piece to rank.

    Returns:
        The word in bytes, and after each merge.
    """
    pieces = [word[index : index + 1] for index in range(len(word))]
    steps = [Merge(tuple(pieces))]
    while True:
        pairs = [(ranks[pieces[i] + pieces[i + 1]], i) for i in range(len(pieces) - 1) if pieces[i] + pieces[i + 1] in ranks]
        if not pairs:
            return steps
        rank, place = min(pairs)
        pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]
        steps.append(Merge(tuple(pieces), place, rank))


def steps_of(tokenizer: Tokenizer, word: str, ranks: Mapping[bytes, int]) -> list[Merge] | None:
    """Return the steps by which a tokenizer puts a word together, or None where it does not work by merges of rank.

    Args:
        tokenizer: whose pieces they must end at.
        word: with the space before it, if it has one.
        ranks: of `ranks_of`.
    """
    data = word.encode("utf-8")[:MOST_BYTES]
    own = [tokenizer.token_bytes(int(token)) for token in tokenizer.encode(data.decode("utf-8", errors="ignore"))]
    steps = merge_steps(data.decode("utf-8", errors="ignore").encode(), ranks)
    return steps if list(steps[-1].pieces) == own else None


def longest_word(text: str) -> str:
    """Return the longest word of the beginning of a text, with the space before it.

    >>> longest_word("This is me training")
    ' training'
    """
    words = re.findall(r" ?[^\W_]+", text[:2000])
    return max(words, key=len, default="")
