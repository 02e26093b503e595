"""A text as a tokenizer sees it: pieces with their ids, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import Tokenizer, Vocabulary
from pentad_cli.tools import visible

MOST_PIECES = 4000
"""Pieces that are shown; the figures are of all."""

COLOURS = 6
"""Colours of pieces, in turn."""


Parts = tuple[tuple[str, str], ...]
"""A piece of text in parts, each with a class: empty for plain text, `space`, `tab`, `line`, `byte` or `special`."""


@dataclass(frozen=True)
class Piece:
    """A token.

    Args:
        id: its number.
        parts: its text in parts, each with a class: plain, `space`, `line` or `byte`.
        colour: the class of its colour.
        hint: what is said of it where a pointer rests.
    """

    id: int
    parts: Parts
    colour: str
    hint: str


@dataclass(frozen=True)
class Cut:
    """A text, cut.

    Args:
        pieces: the first of them.
        more: how many are not among these.
        n_tokens, n_bytes, n_characters: of the whole text.
        used: different ids.
        vocab_size: ids that there are.
        lossless: whether the text can be had back.
    """

    pieces: list[Piece]
    more: int
    n_tokens: int
    n_bytes: int
    n_characters: int
    used: int
    vocab_size: int
    lossless: bool

    @property
    def bytes_per_token(self) -> float:
        """How much text a token holds on average."""
        return self.n_bytes / max(self.n_tokens, 1)


def cut_text(tokenizer: Tokenizer, text: str, special: bool = False) -> Cut:
    """Cut a text.

    Args:
        tokenizer: ready to use.
        text: any.
        special: whether spellings of special tokens mean them.

    Raises:
        UsageError: the text holds a lone surrogate.
    """
    ids = [int(token) for token in (tokenizer.encode_with_special(text) if special else tokenizer.encode(text))]
    spellings = {number: word for word, number in tokenizer.special_tokens.items()}
    shown = [piece_of(tokenizer, token, index, spellings) for index, token in enumerate(ids[:MOST_PIECES])]
    return Cut(
        pieces=shown,
        more=len(ids) - len(shown),
        n_tokens=len(ids),
        n_bytes=len(text.encode("utf-8")),
        n_characters=len(text),
        used=len(set(ids)),
        vocab_size=tokenizer.vocab_size,
        lossless=tokenizer.lossless,
    )


def piece_of(tokenizer: Tokenizer, token: int, index: int, spellings: dict[int, str]) -> Piece:
    """Return a token as it is shown.

    Args:
        tokenizer: knows its bytes.
        token, index: its id and its place.
        spellings: ids of special tokens to how they are written.
    """
    if token in spellings:
        return Piece(token, ((spellings[token], "special"),), f"t{index % COLOURS}", f"{token}: special token")
    data = tokenizer.token_bytes(token)
    n_bytes = f"{len(data)} byte{'' if len(data) == 1 else 's'}"
    return Piece(token, shown_parts(data), f"t{index % COLOURS}", f"id {token}, {n_bytes}: {data.hex(' ')}")


def shown_parts(data: bytes) -> Parts:
    r"""Return bytes as parts to show, each with its class; spaces, line ends and bytes that are no character stand out.

    >>> shown_parts(b" a\n\xff")
    ((' ', 'space'), ('a', ''), ('\n', 'line'), ('ff', 'byte'))
    """
    parts: list[tuple[str, str]] = []
    for character in data.decode("utf-8", errors="surrogateescape"):
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:
            parts.append((f"{code - 0xDC00:02x}", "byte"))
        elif character in " \n\t":
            parts.append((character, {" ": "space", "\n": "line", "\t": "tab"}[character]))
        elif visible(character) != character:
            parts.append((visible(character), "byte"))
        elif parts and parts[-1][1] == "":
            parts[-1] = (parts[-1][0] + character, "")
        else:
            parts.append((character, ""))
    return tuple(parts)


class Spelling:
    """How ids are written.

    Args:
        tokenizer, vocabulary: of the examples.
    """

    def __init__(self, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        self._tokenizer, self._vocabulary = tokenizer, vocabulary
        self._special = {number: word for word, number in tokenizer.special_tokens.items()}

    def of(self, token: int) -> Parts:
        """Return an id as parts to show."""
        if token >= self._vocabulary.size or token < 0:  # a builder's fault, which is shown rather than hidden
            return ((f"<{token}>", "special"),)
        word = self._vocabulary.spelling(token) or self._special.get(token)
        return ((word, "special"),) if word else shown_parts(self._tokenizer.token_bytes(token))
