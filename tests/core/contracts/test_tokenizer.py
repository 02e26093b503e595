"""What every tokenizer inherits: batches, special tokens where the caller allows them, decoding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import END_OF_TEXT, Tokenizer, utf8
from pentad.contracts import tokenizer as module
from pentad.contracts.tokenizer import count_lost_bytes
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


class Lossy:
    """Each character is a token of its own; those that are not kept are one unknown id that stands for nothing."""

    lossless = False

    def __init__(self, keeps=str.isascii, change=lambda character: character):
        self.keeps, self.change, self.spelled = keeps, change, [b""]

    def encode(self, text):
        return [self.token(self.change(character)) if self.keeps(character) else 0 for character in text]

    def token(self, character):
        if character.encode() not in self.spelled:
            self.spelled.append(character.encode())
        return self.spelled.index(character.encode())

    def token_bytes(self, token):
        return self.spelled[token]


def longest_common_subsequence(a: bytes, b: bytes) -> int:
    row = [0] * (len(b) + 1)
    for byte in a:
        before = row
        row = [0]
        for place, other in enumerate(b):
            row.append(before[place] + 1 if byte == other else max(before[place + 1], row[-1]))
    return row[-1]


@given(st.text("ab é😀"))
def test_bytes_behind_unknown_ids_are_counted_exactly(text):
    lost = len(text.encode()) - sum(character.isascii() for character in text)
    tokenizer = Lossy()
    assert count_lost_bytes(tokenizer, text, tokenizer.encode(text)) == lost


@given(st.text("aAbB é", max_size=60))
def test_never_fewer_bytes_are_counted_than_are_missing(text):
    for tokenizer in (
        Lossy(change=str.lower),
        Lossy(keeps=lambda c: c != "b"),
        Lossy(change=lambda c: c if c.isascii() else "e"),
    ):
        ids = tokenizer.encode(text)
        back = b"".join(map(tokenizer.token_bytes, ids))
        lost = count_lost_bytes(tokenizer, text, ids)
        assert len(text.encode()) >= lost >= len(text.encode()) - longest_common_subsequence(text.encode(), back)


def test_a_changed_word_costs_little_more_than_itself():
    text = "The Cat saw the dog, and The Dog saw the cat. Nobody knows why they ran. " * 20
    tokenizer = Lossy(change=str.lower)
    capitals = sum(character.isupper() for character in text)
    assert capitals <= count_lost_bytes(tokenizer, text, tokenizer.encode(text)) < 3 * capitals


def test_what_is_said_to_be_lossless_is_not_looked_at():
    tokenizer = Lossy()
    tokenizer.lossless = True
    assert count_lost_bytes(tokenizer, "é", [0]) == 0
