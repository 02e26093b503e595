"""The file of a trained tokenizer: Hugging Face's `tokenizer.json`, as `bpe` writes it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pentad import END_OF_TEXT
from pentad_bpe.splitting import SplitPattern, known_pattern, pattern_of


class Vocabulary(NamedTuple):
    """The words' pattern, the bytes of each id but the last, which is the end of text, and the id of each pair of ids."""

    pattern: SplitPattern
    tokens: list[bytes]
    merges: dict[tuple[int, int], int]


def parse(text: str) -> Vocabulary:
    """Return the vocabulary of a file.

    Every token is made again from the merges and compared with the file's vocabulary, so that a damaged file is noticed.

    Raises:
        ValueError: the file is damaged or was not written by `bpe`; the message says what is wrong.
    """
    try:
        content = json.loads(text)
        pairs = content["model"]["merges"]
        spelled = _spelled_tokens(pairs)
        ids = {token: rank for rank, token in enumerate(spelled)}
        if content["model"]["vocab"] != ids:
            raise ValueError("its vocabulary and its merges do not fit together")
        special = [(token["id"], token["content"]) for token in content["added_tokens"]]
        if special != [(len(spelled), END_OF_TEXT)]:
            raise ValueError(f"its only special token must be {END_OF_TEXT} with the id {len(spelled)}")
        merges = {(ids[left], ids[right]): ids[left + right] for left, right in pairs}
        return Vocabulary(_known_pattern(content), list(spelled.values()), merges)
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is not the tokenizer.json of bpe ({type(error).__name__}: {error})") from None


def _spelled_tokens(merges: list[list[str]]) -> dict[str, bytes]:
    """Return each token as the file spells it, with its bytes, in the order of the ids."""
    tokens = alphabet()
    for left, right in merges:
        if left + right in tokens:
            raise ValueError(f"the pair {left!r} {right!r} is merged twice")
        tokens[left + right] = tokens[left] + tokens[right]
    return tokens


def _known_pattern(content: dict[str, Any]) -> SplitPattern:
    first = content["pre_tokenizer"]["pretokenizers"][0]
    return pattern_of("none") if first["type"] == "ByteLevel" else known_pattern(first["pattern"]["Regex"])


def alphabet() -> dict[str, bytes]:
    """Return the printable character that stands for each byte in the file, in the order of the bytes' ids.

    Bytes that are printable in Latin-1 stand for themselves and come first; the others are shifted to U+0100 and on.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = [*map(chr, printable), *(chr(256 + i) for i in range(len(others)))]
    return {character: bytes([byte]) for character, byte in zip(characters, printable + others, strict=True)}
