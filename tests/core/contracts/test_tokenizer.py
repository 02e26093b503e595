"""What every tokenizer inherits: batches, special tokens where the caller allows them, decoding."""

from __future__ import annotations

import numpy as np
import pytest

from pentad import END_OF_TEXT, Tokenizer, utf8
from pentad.contracts import tokenizer as module
from pentad.testing import raises_code


class Letters(Tokenizer):
    """Bytes, with two special tokens of which one is the start of the other."""

    vocab_size = 258
    special_tokens = {"<|end": 257, END_OF_TEXT: 256}

    def train(self, texts): ...

    def encode(self, text):
        return np.frombuffer(utf8(text), np.uint8).astype(np.uint32)

    def token_bytes(self, token):
        return bytes([token]) if token < 256 else b""

    def save(self, folder): ...

    def load(self, folder): ...


@pytest.mark.parametrize("limit", [1, 3, 10, 1000])
def test_batch_keeps_order_however_it_is_grouped(monkeypatch, limit):
    monkeypatch.setattr(module, "_GROUP_CHARACTERS", limit)
    texts = ["", "a", "bc", "", "def", "ghij" * 5, "", "k"]
    assert [ids.tolist() for ids in Letters().encode_batch(texts)] == [list(text.encode()) for text in texts]
    assert [text for group in module._groups(texts) for text in group] == texts


def test_batch_of_nothing():
    assert Letters().encode_batch([]) == []


def test_an_error_in_a_thread_reaches_the_caller(monkeypatch):
    monkeypatch.setattr(module, "_GROUP_CHARACTERS", 1)
    with raises_code("text-not-unicode"):
        Letters().encode_batch(["fine", "\ud800", "fine"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("ab", [97, 98]),
        (END_OF_TEXT, [256]),
        (f"a{END_OF_TEXT}{END_OF_TEXT}b", [97, 256, 256, 98]),
        ("<|endo", [257, 111]),
        ("<|en", [60, 124, 101, 110]),
    ],
)
def test_special_tokens_by_the_callers_leave(text, expected):
    ids = Letters().encode_with_special(text)
    assert ids.tolist() == expected
    assert ids.dtype == np.uint32


def test_decoding_what_is_no_utf8():
    letters = Letters()
    assert letters.decode([97, 0xE2, 0x82, 256, 98]) == "a\ufffdb"
    assert letters.decode_bytes(np.array([0xFF, 257, 97])) == b"\xffa"


def test_utf8_names_the_surrogate():
    assert utf8("ä") == b"\xc3\xa4"
    with raises_code("text-not-unicode") as caught:
        utf8("ab\udc80")
    assert "U+DC80" in caught.value.message
    assert "character 2" in caught.value.message
