"""Golden: transformers' ban on token sequences, where each byte is a token; a property where tokens are longer."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.generation.logits_process import NoBadWordsLogitsProcessor

from pentad import Limits, UsageError, Vocabulary
from pentad.testing.subjects import Bytes, Table, random_table, session_of

PIECES = [b"a", b"b", b"c", b"ab", b"bc", b"abc", b"ca", b"\xc3", b"\xa9", b"b\xc3", b"\xa9a"]


class Pieces(Bytes):
    """A tokenizer of some pieces of one to three bytes, and the end of text."""

    vocab_size = len(PIECES) + 1
    special_tokens = {"<|endoftext|>": len(PIECES)}

    def token_bytes(self, token: int) -> bytes:
        return PIECES[token] if token < len(PIECES) else b""


def test_as_in_transformers(logits, tokens, sampler):
    words = ("a", "bc", "fed", "dd", "cafe")
    peer = NoBadWordsLogitsProcessor([list(word.encode()) for word in words])
    found = sampler("banned-words", words=words).probabilities(logits, tokens)
    assert torch.allclose(found, peer(tokens, logits.clone()).softmax(dim=-1), atol=1e-6)
    assert (found == 0).sum() > len(found)


@settings(max_examples=40, deadline=None)
@given(words=st.lists(st.text("abcé", min_size=1, max_size=4), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_no_text_holds_a_word_however_it_is_cut(sampler, words, seed):
    session = session_of(Table(random_table(Pieces.vocab_size, seed, boldness=1.0)))
    session.tokenizer, session.vocabulary = Pieces(), Vocabulary.of(Pieces())
    made = sampler("banned-words", session.tokenizer, words=tuple(words))
    prompt = torch.tensor([Pieces.vocab_size - 1, 0, 1])
    limits = Limits(max_tokens=30, samples=3, seed=seed)
    events = list(session.generate(prompt, made, limits))
    for sequence in range(3):
        written = b"".join(session.tokenizer.token_bytes(event.token) for event in events if event.sequence == sequence)
        for word in words:
            # The prompt may hold a word; what is written adds none.
            assert (b"ab" + written).count(word.encode()) == b"ab".count(word.encode())


def test_other_cases_are_banned_where_that_is_asked_for(sampler):
    logits, tokens = torch.zeros(1, 257), torch.tensor([list(b"E")])
    assert sampler("banned-words", words=("eel",)).probabilities(logits, torch.tensor([list(b"EE")]))[0, ord("L")] > 0
    both = sampler("banned-words", words=("eel",), any_case=True)
    assert both.probabilities(logits, torch.tensor([list(b"EE")]))[0, ord("L")] == 0
    assert both.probabilities(logits, torch.tensor([list(b"Ee")]))[0, ord("l")] == 0
    assert both.probabilities(logits, tokens)[0, ord("E")] > 0


def test_an_empty_word_and_a_dead_end_are_told(sampler):
    with pytest.raises(UsageError) as raised:
        sampler("banned-words", words=("a", ""))
    assert raised.value.code == "empty-word"
    logits = torch.full((1, 257), -torch.inf)
    logits[0, 97] = 0
    with pytest.raises(UsageError) as raised:
        sampler("banned-words", words=("a",)).probabilities(logits, torch.zeros(1, 0, dtype=torch.int64))
    assert raised.value.code == "nothing-to-draw"
