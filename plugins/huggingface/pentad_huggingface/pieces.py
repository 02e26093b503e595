"""The bytes that each id stands for, worked out from the decoder that the file describes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import tokenizers

from pentad_huggingface.file import find, types

_BYTE = re.compile("<0x([0-9A-F]{2})>")

_ANCHOR = "a"  # a word that stands in front: decoders treat the first piece of a text in a way of its own


def token_bytes(tokenizer: tokenizers.Tokenizer, description: dict[str, Any], silent: frozenset[int]) -> list[bytes]:
    """Return the bytes of every id up to the highest; none for an id that does not exist.

    Args:
        tokenizer, description: of the file.
        silent: ids that stand for no text.
    """
    pieces = tokenizer.get_vocab()
    added = {token["id"]: token["content"] for token in description.get("added_tokens") or ()}
    spelled = _speller(tokenizer, description)
    result = [b""] * (max(pieces.values(), default=-1) + 1)
    for piece, token in pieces.items():
        if token not in silent:
            result[token] = added[token].encode() if token in added else spelled(piece)
    return result


def _speller(tokenizer: tokenizers.Tokenizer, description: dict[str, Any]) -> Callable[[str], bytes]:
    decoder = description.get("decoder")
    if "ByteLevel" in types(decoder) or (not decoder and "ByteLevel" in types(description.get("pre_tokenizer"))):
        return _byte_level
    if suffix := (find(decoder, "BPEDecoder") or {}).get("suffix"):
        return lambda piece: piece.replace(suffix, " ").encode()
    falls_back = "ByteFallback" in types(decoder) or bool(description["model"].get("byte_fallback"))

    def spelled(piece: str) -> bytes:
        if falls_back and (byte := _BYTE.fullmatch(piece)):
            return bytes([int(byte[1], 16)])
        if tokenizer.decoder is None:
            return f" {piece}".encode()  # the library joins words with spaces
        return str(tokenizer.decoder.decode([_ANCHOR, piece])).removeprefix(_ANCHOR).encode()

    return spelled


def _alphabet() -> dict[str, int]:
    """Return the byte of each printable character that stands for one (Radford et al., 2019)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _alphabet()


def _byte_level(piece: str) -> bytes:
    if all(character in _BYTES for character in piece):
        return bytes(_BYTES[character] for character in piece)
    return piece.encode()
