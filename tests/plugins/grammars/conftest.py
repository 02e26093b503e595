"""A model that writes anything, and tokens that cut characters and words anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pentad import Catalogue, Choice, Limits, Tokenizer, Vocabulary, make
from pentad.inference.session import ModelSession
from pentad.testing.subjects import Bytes, Table, machine, random_table

PIECES = [bytes([byte]) for byte in range(256)]
PIECES += [b"ab", b"bc", b'":', b'{"', b"\xc3", b"a\xc3", b"\xa9b", b"00", b"1}", b"true", b"tr", b""]


class Pieces(Bytes):
    """Bytes, some pieces of several of them, one that stands for nothing, and the end of text."""

    vocab_size = len(PIECES) + 1
    special_tokens = {"<|endoftext|>": len(PIECES)}

    def token_bytes(self, token: int) -> bytes:
        return PIECES[token] if token < len(PIECES) else b""


Written = Callable[..., list[tuple[str, str]]]


@pytest.fixture(scope="session")
def written() -> Written:
    """Write texts with a sampler by its name and options; returns each with why it ended."""
    catalogue = Catalogue()

    def write(name: str, cuts: Tokenizer | None = None, limits: Limits | None = None, **options: Any) -> list[tuple[str, str]]:
        cuts = cuts or Pieces()
        vocabulary = Vocabulary.of(cuts)
        session = ModelSession(Table(random_table(vocabulary.size, boldness=1.0)), machine(), cuts, vocabulary)
        method = make("sampler", Choice(name, **options), catalogue=catalogue, tokenizer=cuts, vocabulary=vocabulary)
        limits = limits or Limits(max_tokens=80, samples=12, seed=3)
        texts, ends = [""] * limits.samples, [""] * limits.samples
        for event in session.generate("7 eels", method, limits):
            texts[event.sequence] += event.text
            ends[event.sequence] = event.ended
        return list(zip(texts, ends, strict=True))

    return write
