"""GPT-2's byte-pair merges (Radford et al., 2019), shipped with this package, to tiktoken's ranks.

The merges are OpenAI's file vocab.bpe, xz-compressed; LICENSE-vocabulary in this folder is OpenAI's licence for it.
"""

from __future__ import annotations

from pentad import read_packaged

SHA256 = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"
"""Of the merges as OpenAI published them; tiktoken pins the same digest."""

_SIZE = 456_318


def alphabet() -> dict[str, int]:
    """Return the printable character that stands for each byte in the merges file, in the order of the bytes' ids.

    Bytes that are printable in Latin-1 stand for themselves and come first; the others are shifted to U+0100 and on.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


def merges() -> str:
    """Return the merges file.

    Raises:
        EngineError: the file in the package is missing or not the published one.
    """
    return read_packaged(__package__, "vocab.bpe.xz", size=_SIZE, sha256=SHA256).decode("utf-8")


def ranks() -> dict[bytes, int]:
    """Return the 50,256 tokens, each with its id, which is also its rank: the lower, the earlier it is merged."""
    byte_of = alphabet()
    tokens = {character: bytes([byte]) for character, byte in byte_of.items()}
    for line in merges().split("\n")[1:-1]:  # the first line is a version, the last is empty
        left, right = line.split(" ")
        tokens[left + right] = tokens[left] + tokens[right]
    return {token: rank for rank, token in enumerate(tokens.values())}
