"""Figures of tokenizers, counted by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import Choice, make
from pentad.data.pieces import Piece
from pentad_compare.measures import tokenizers as module
from pentad_compare.measures.tokenizers import encode_speed, measure, readable, renyi_efficiency


def pieces(*documents):
    return [Piece(document, True) for document in documents]


def figures(tokenizer, *documents):
    return measure("mine", {"name": "it"}, tokenizer, pieces(*documents), seconds=0.001)


@pytest.fixture(scope="module")
def byte():
    return make("tokenizer", "byte")


@pytest.fixture(scope="module")
def bpe():
    tokenizer = make("tokenizer", Choice("bpe", vocab_size=270))
    tokenizer.train(["the cat and the dog and the bird " * 20])
    return tokenizer


def test_bytes_by_hand(byte):
    found = figures(byte, "aab a", "é")
    assert (found.label, found.recipe, found.failure) == ("mine", {"name": "it"}, "")
    assert (found.n_bytes, found.n_tokens, found.bytes_per_token, found.vocab_size) == (7, 7, 1.0, 257)
    assert found.tokens_per_word == 7 / 3
    assert found.used == 5 / 257  # a, b, the space and the two bytes of é
    shares = np.array([3, 1, 1, 1, 1]) / 7
    assert found.renyi_efficiency == pytest.approx(math.log((shares**2.5).sum()) / (1 - 2.5) / math.log(257))
    assert found.lengths == {"1": 7} and found.round_trip_failures == 0
    assert found.longest == ["a", "␣", "b", "\\xa9", "\\xc3"]  # the most frequent first, then by id
    assert found.encode_bytes_per_second > 0


def test_pairs_make_the_figures_of_pairs(bpe):
    text = "the cat and the dog and the bird\n"
    ids = bpe.encode(text).tolist()
    found = figures(bpe, text, text)
    assert found.n_tokens == 2 * len(ids) < found.n_bytes == 2 * len(text)
    assert found.bytes_per_token == len(text) / len(ids) and found.tokens_per_word == len(ids) / 8
    assert found.used == len(set(ids)) / 270
    assert sum(found.lengths.values()) == found.n_tokens
    assert sum(int(size) * count for size, count in found.lengths.items()) == found.n_bytes
    assert [int(size) for size in found.lengths] == sorted(int(size) for size in found.lengths)
    longest = max(len(bpe.token_bytes(token)) for token in ids)
    assert len(found.longest[0]) == longest and found.longest[0].replace("␣", " ") in text
    assert len(found.longest) == min(10, len(set(ids)))


def test_a_document_in_pieces_is_one_document():
    tokenizer = Lossy()
    found = measure("", {}, tokenizer, [Piece("ab", False), Piece("?x", False), Piece("y", True), Piece("c", True)], seconds=0)
    assert found.round_trip_failures == 1 and found.n_bytes == 6
    assert figures(tokenizer, "a?", "b?", "c").round_trip_failures == 2


class Lossy:
    """ASCII bytes; a question mark comes back as a full stop. Counts its encodings."""

    vocab_size = 128
    encoded = 0

    def encode(self, text):
        self.encoded += 1
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.uint32)

    def decode(self, tokens):
        return bytes(tokens).decode().replace("?", ".")

    def token_bytes(self, token):
        return bytes([token])


def test_no_text_gives_no_figures(byte):
    found = figures(byte)
    assert (found.n_tokens, found.bytes_per_token, found.tokens_per_word, found.used) == (0, 0, 0, 0)
    assert (found.renyi_efficiency, found.encode_bytes_per_second, found.lengths, found.longest) == (0, 0, {}, [])


def test_speed_is_the_median_of_passes_after_the_first(monkeypatch):
    ticks = itertools.accumulate([0, 900, 0, 2, 0, 4, 0, 40])  # begin, end, begin, end: passes of 900, 2, 4 and 40 s
    monkeypatch.setattr(module.time, "process_time", lambda: next(ticks))
    tokenizer = Lossy()
    assert encode_speed(tokenizer, ["abcd", "aaaa"], seconds=0.2) == 8 / 4
    assert tokenizer.encoded == 8


def test_a_short_text_is_read_often_enough_to_be_timed(monkeypatch):
    tokenizer = Lossy()
    monkeypatch.setattr(module.time, "process_time", lambda: tokenizer.encoded * 1e-4)
    assert encode_speed(tokenizer, ["abcd"], seconds=0.2) == pytest.approx(4e4)
    assert 0.2 <= tokenizer.encoded * 1e-4 < 0.4


def test_speed_is_measured_on_a_part_of_a_long_text(byte, monkeypatch):
    timed = []
    monkeypatch.setattr(module, "TIMED_CHARACTERS", 100)
    monkeypatch.setattr(module, "encode_speed", lambda tokenizer, texts, seconds: timed.extend(texts) or 1.0)
    assert figures(byte, *["x" * 30] * 10).n_bytes == 300
    assert sum(map(len, timed)) == 100


def test_efficiency_is_1_where_all_ids_are_alike_and_0_for_one_id():
    assert renyi_efficiency(np.full(64, 7)) == pytest.approx(1.0)
    assert renyi_efficiency(np.array([5, 0, 0])) == 0.0
    assert renyi_efficiency(np.array([4, 4, 0, 0])) == pytest.approx(0.5)  # two ids of four: log 2 / log 4
    assert renyi_efficiency(np.array([3, 1]), order=2.0) == pytest.approx(-math.log2(10 / 16))


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30))
def test_efficiency_lies_between_0_and_1(counts):
    found = renyi_efficiency(np.array(counts))
    assert 0 <= found <= 1 + 1e-9
    assert renyi_efficiency(np.array(counts[::-1])) == pytest.approx(found)


def test_every_byte_can_be_read():
    assert readable(b"  \\\t\x00") == "␣␣\\\\\\t\\x00"
    assert readable("日本\u200b".encode()) == "日本\\u200b"
    shown = [readable(bytes([byte])) for byte in range(256)]
    assert len(set(shown)) == 256 and all(text.isprintable() and not text.isspace() for text in shown)
