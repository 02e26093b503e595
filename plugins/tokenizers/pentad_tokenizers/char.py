"""Every character of the training text an id; what was not seen is spelled in UTF-8 bytes, or is one unknown id.

Spelled in bytes: ids 0 to 255 are the bytes, so that an ASCII character and its byte are one id; then come the other
characters, by code point, and the end of text. With an unknown id: the characters by code point, the unknown id, the end of
text.

Characters as tokens: Sutskever, Martens and Hinton, Generating Text with Recurrent Neural Networks, 2011; Karpathy, char-rnn,
2015. Bytes for what was not seen: `byte_fallback` of SentencePiece (Kudo and Richardson, 2018).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pentad import END_OF_TEXT, TokenIds, Tokenizer, option, utf8
from pentad_tokenizers.saving import damaged, read, untrained, write

_NO_ID = -1


@dataclass(frozen=True, kw_only=True)
class CharOptions:
    """Options of the character tokenizer."""

    unseen: str = option(
        "bytes",
        "What becomes of a character without an id: bytes spells it in UTF-8 bytes (lossless); unknown gives all of them one "
        "id (lossy: what is lost costs 8 bits a byte in scores).",
        choices=("bytes", "unknown"),
    )
    max_characters: int = option(
        8192, "Most characters that get an id, the most frequent first; the others are unseen.", ge=1, le=1_114_112
    )
    min_frequency: int = option(1, "How often a character must stand in the training text to get an id.", ge=1)
    train_mb: int = option(100, "Maximum megabytes of text to learn from; of more, a sample spread evenly over it.", ge=1)


class Char(Tokenizer):
    """Characters as ids. Not lossless where unseen characters are one unknown id."""

    def __init__(self, options: CharOptions) -> None:
        self.lossless = options.unseen == "bytes"
        self.sample_bytes = options.train_mb * 1_000_000
        self._options = options
        self._characters: str | None = None
        self._tokens: list[bytes] = []
        self._ids = np.empty(0, dtype=np.int32)  # code point to id

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
        """Count the characters of the texts and keep the most frequent; ties go to the lower code point.

        Raises:
            UsageError: a text holds a lone surrogate.
        """
        counts: Counter[str] = Counter()
        left = self._options.train_mb * 1_000_000
        for text in texts:
            if not text.isascii():
                utf8(text[:left])
            counts.update(text[:left])
            left -= len(text)
            if left <= 0:
                break
        often = [(-count, character) for character, count in counts.items() if count >= self._options.min_frequency]
        self._become("".join(sorted(character for _, character in sorted(often)[: self._options.max_characters])))

    def encode(self, text: str) -> TokenIds:
        """Return the ids (T,): one for each character that has one, and one or a few for each that has none."""
        self._trained()
        try:
            codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
        except UnicodeEncodeError:
            utf8(text)  # says where the lone surrogate is
            raise
        ids: npt.NDArray[np.int32] = self._ids[codes]  # (C,)
        unseen = ids == _NO_ID
        if not unseen.any():
            return ids.astype(np.uint32)
        if not self.lossless:
            ids[unseen] = len(self._tokens) - 2
            return ids.astype(np.uint32)
        return _spelled(ids, unseen, codes)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of an id; none for the end of text and the unknown id."""
        return self._tokens[token]

    def save(self, folder: Path) -> None:
        """Write the characters."""
        write(folder, "char", {"unseen": self._options.unseen, "characters": self._trained()})

    def load(self, folder: Path) -> None:
        """Read the characters.

        Raises:
            EngineError: the file is missing, damaged, or was made with another rule for unseen characters.
        """
        content = read(folder, "char")
        characters = content.get("characters")
        if content.get("unseen") != self._options.unseen:
            raise damaged(folder, "char", f"it is not for unseen = {self._options.unseen!r}")
        if not isinstance(characters, str) or sorted(set(characters)) != list(characters):
            raise damaged(folder, "char", "its characters are not a sorted text without doubles")
        if any("\ud800" <= character <= "\udfff" for character in characters):
            raise damaged(folder, "char", "it holds a lone surrogate")
        self._become(characters)

    def _become(self, characters: str) -> None:
        if self.lossless:
            tokens = [bytes([byte]) for byte in range(256)]
            known = {code: code for code in range(128)}
        else:
            tokens, known = [], {}
        for character in characters:
            if ord(character) not in known:
                known[ord(character)] = len(tokens)
                tokens.append(character.encode())
        self._tokens = [*tokens, *([] if self.lossless else [b""]), b""]
        self._ids = np.full(sys.maxunicode + 1, _NO_ID, dtype=np.int32)
        self._ids[list(known)] = list(known.values())
        self._characters = characters

    def _trained(self) -> str:
        if self._characters is None:
            raise untrained("char")
        return self._characters


def _spelled(ids: npt.NDArray[np.int32], unseen: npt.NDArray[np.bool_], codes: npt.NDArray[np.uint32]) -> TokenIds:
    """Return ids (T,) of characters (C,) in which those without an id are spelled in their UTF-8 bytes, T >= C."""
    lengths = np.where(unseen, 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000), 1)  # (C,)
    result = np.empty(int(lengths.sum()), dtype=np.uint32)
    is_byte = np.repeat(unseen, lengths)  # (T,)
    result[~is_byte] = ids[~unseen]
    result[is_byte] = np.frombuffer(codes[unseen].tobytes().decode("utf-32-le").encode(), dtype=np.uint8)
    return result
