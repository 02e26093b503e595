"""How text is cut into words, and the file of a trained tokenizer: Hugging Face's `tokenizer.json`, as `bpe` writes it."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from pentad import END_OF_TEXT


def pattern(max_digits: int) -> str:
    """Return the expression whose matches are the words inside which pairs are merged.

    English contractions; letters with their marks, behind a space or not; digits; other characters; white space. There is
    no look-ahead in it, which makes tiktoken twice as fast as with GPT-2's and safe on long runs, and classes on whose
    members the expression engines of tokenizers and tiktoken agree for every character.
    """
    return r"'(?:[sdmt]|ll|ve|re)| ?[\p{L}\p{M}]+| ?\p{N}{1,MAX}| ?[^\s\p{L}\p{M}\p{N}]+|\s+".replace("MAX", str(max_digits))


class Vocabulary(NamedTuple):
    """What tiktoken needs: the words' pattern, and the bytes of each id but the last, which is the end of text."""

    pattern: str
    tokens: list[bytes]


def parse(text: str) -> Vocabulary:
    """Return the vocabulary of a file.

    Every token is made again from the merges and compared with the file's vocabulary, so that a damaged file is noticed.

    Raises:
        ValueError: the file is damaged or was not written by `bpe`; the message says what is wrong.
    """
    try:
        content = json.loads(text)
        spelled = _spelled_tokens(content["model"]["merges"])
        if content["model"]["vocab"] != {token: rank for rank, token in enumerate(spelled)}:
            raise ValueError("its vocabulary and its merges do not fit together")
        special = [(token["id"], token["content"]) for token in content["added_tokens"]]
        if special != [(len(spelled), END_OF_TEXT)]:
            raise ValueError(f"its only special token must be {END_OF_TEXT} with the id {len(spelled)}")
        return Vocabulary(_known_pattern(content), list(spelled.values()))
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


def _known_pattern(content: dict[str, Any]) -> str:
    found = content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    digits = re.search(r"\{1,([1-9][0-9]?)\}", found)
    if not digits or found != pattern(int(digits[1])):
        raise ValueError(f"it cuts words by the unknown pattern {found!r}")
    return str(found)


def alphabet() -> dict[str, bytes]:
    """Return the printable character that stands for each byte in the file, in the order of the bytes' ids.

    Bytes that are printable in Latin-1 stand for themselves and come first; the others are shifted to U+0100 and on.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = [*map(chr, printable), *(chr(256 + i) for i in range(len(others)))]
    return {character: bytes([byte]) for character, byte in zip(characters, printable + others, strict=True)}
