"""Merges step by step: they end where the tokenizer itself ends, or are not shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import make
from pentad_studio.tokens.merges import longest_word, merge_steps, ranks_of, steps_of


@pytest.fixture(scope="module")
def gpt2():
    tokenizer = make("tokenizer", "gpt2")
    return tokenizer, ranks_of(tokenizer)


def test_a_word_is_put_together_as_gpt2_does_it(gpt2):
    steps = steps_of(gpt2[0], " training", gpt2[1])
    assert [step.id for step in steps] == [None, 256, 259, 259, 278, 391, 491, 1397, 3047]
    assert steps[0].pieces == tuple(bytes([byte]) for byte in b" training")
    assert steps[-1].pieces == (b" training",)


@given(word=st.text(alphabet=st.characters(categories=["L"]), min_size=1, max_size=12))
def test_the_steps_of_any_word_end_at_the_tokenizers_pieces(gpt2, word):
    steps = steps_of(gpt2[0], word, gpt2[1])
    assert steps is not None
    assert b"".join(steps[-1].pieces) == word.encode()[:64].decode(errors="ignore").encode()


def test_each_step_merges_one_pair():
    steps = merge_steps(b"abcab", {b"ab": 1, b"abc": 2, b"cab": 0})
    assert [step.pieces for step in steps] == [
        (b"a", b"b", b"c", b"a", b"b"),
        (b"ab", b"c", b"a", b"b"),
        (b"ab", b"c", b"ab"),
        (b"ab", b"cab"),
    ]


def test_a_tokenizer_that_works_otherwise_has_no_steps(gpt2):
    class Words:
        def encode(self, text):
            return [0]

        def token_bytes(self, token):
            return b"whole"

    assert steps_of(Words(), "whole", {b"wh": 3}) is None


def test_the_longest_word_brings_its_space():
    assert longest_word("a longer one") == " longer"
    assert longest_word("...") == ""
