"""BPE dropout: the paper's procedure, counted; the bytes of the text whatever is left out; training text alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pentad.testing import TokenizerConformance, raises_code
from pentad.testing.stages.tokenizer import NASTY, random_texts, sample_texts
from pentad_bpe import dropout
from pentad_bpe.options import BPEOptions
from pentad_bpe.tokenizer import BPE
from pentad_bpe.vocabulary import parse

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\t'sdl19ab\u0301\u3000"))


class TestDropout(TokenizerConformance):
    name = "bpe"
    options = {"vocab_size": 500, "dropout": 0.2}


class TestDropoutWithSuperwords(TokenizerConformance):
    name = "bpe"
    options = {"vocab_size": 400, "dropout": 0.5, "superwords": 0.3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tokenizer of few letters, in which pairs overlap and many words merge in more than one way."""
    made = tmp_path_factory.mktemp("bpe")
    tokenizer = BPE(BPEOptions(vocab_size=700))
    tokenizer.train([*sample_texts(), "abab aab abb " * 50])
    tokenizer.save(made)
    return made


def loaded(folder, rate) -> BPE:
    tokenizer = BPE(BPEOptions(dropout=rate))
    tokenizer.load(folder)
    return tokenizer


def source(seed=0):
    return np.random.default_rng(seed)


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_without_dropout_the_ids_are_those_of_encode(folder, text):
    tokenizer = loaded(folder, 0.0)
    assert tokenizer.encode_randomly(text, source()).tolist() == tokenizer.encode(text).tolist()


@pytest.mark.parametrize("pattern", ["fast", "gpt2", "cl100k", "o200k", "none"])
def test_words_are_cut_as_by_encode(pattern):
    tokenizer = BPE(BPEOptions(vocab_size=400, split_pattern=pattern))
    tokenizer.train(sample_texts()[:20])
    for text in [*NASTY, *random_texts(), *sample_texts()[:5], "ab" * 500, " " * 500 + "x", "漢字" * 300]:
        assert tokenizer.encode_randomly(text, source()).tolist() == tokenizer.encode(text).tolist()


def test_with_all_left_out_bytes_are_left(folder):
    tokenizer = loaded(folder, 1.0)
    for text in NASTY:
        pieces = [tokenizer.token_bytes(int(token)) for token in tokenizer.encode_randomly(text, source())]
        assert pieces == [bytes([byte]) for byte in text.encode()]


@settings(max_examples=100, deadline=None)
@given(TEXT, st.floats(0, 1), st.integers(0, 9))
def test_every_cut_stands_for_the_text(folder, text, rate, seed):
    tokenizer = loaded(folder, rate)
    assert tokenizer.decode(tokenizer.encode_randomly(text, source(seed))) == text


def cuts_of_the_paper(word, ranks, rate):
    """Return each way to cut a word with its probability, by trying all sets of merges that may be left out (algorithm 1)."""
    found = Counter()

    def go_on(cut, probability):
        merges = [(ranks[pair], place) for place, pair in enumerate(pairwise(cut)) if pair in ranks]
        for number in range(1 << len(merges)):
            stays = [merge for place, merge in enumerate(merges) if number >> place & 1]
            share = probability * (1 - rate) ** len(stays) * rate ** (len(merges) - len(stays))
            if stays:
                _, place = min(stays)
                go_on((*cut[:place], cut[place] + cut[place + 1], *cut[place + 2 :]), share)
            else:
                found[cut] += share

    go_on(tuple(bytes([byte]) for byte in word), 1.0)
    return found


@pytest.mark.parametrize("word", ["abab", "ababb", "number"])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_words_are_cut_as_often_as_by_the_papers_procedure(folder, word, rate):
    tokenizer, generator = loaded(folder, rate), source(7)
    merges = parse((folder / "tokenizer.json").read_text(encoding="utf-8")).merges
    ranks = {tuple(tokenizer.token_bytes(token) for token in pair): token for pair, token in merges.items()}
    expected = cuts_of_the_paper(word.encode(), ranks, rate)
    assert len(expected) >= 3
    assert sum(expected.values()) == pytest.approx(1)

    draws = 4000
    drawn = (tokenizer.encode_randomly(word, generator) for _ in range(draws))
    counted = Counter(tuple(tokenizer.token_bytes(int(token)) for token in ids) for ids in drawn)
    assert counted.keys() <= expected.keys()
    often = [cut for cut in expected if draws * expected[cut] >= 5]
    observed = [*(counted[cut] for cut in often), 1 + draws - sum(counted[cut] for cut in often)]  # one more, for none is 0
    due = [*(draws * expected[cut] for cut in often), 1 + draws * (1 - sum(expected[cut] for cut in often))]
    assert stats.chisquare(observed, due).pvalue > 1e-3


def test_a_word_is_cut_otherwise_when_it_comes_again(folder):
    tokenizer = loaded(folder, 0.3)
    word = max((tokenizer.token_bytes(token) for token in range(600)), key=len).decode()
    ids = [tuple(tokenizer.encode_randomly(word, source(seed)).tolist()) for seed in range(50)]
    assert len(set(ids)) > 2
    assert all(tokenizer.encode(word).tolist() == tokenizer.encode(word).tolist() for _ in range(3))


def test_the_notes_of_many_words_are_bounded(folder, monkeypatch):
    monkeypatch.setattr(dropout, "MOST_CUTS", 5)
    tokenizer = loaded(folder, 0.0)
    text = sample_texts()[0]
    assert tokenizer.encode_randomly(text, source()).tolist() == tokenizer.encode(text).tolist()


def test_the_file_has_no_dropout(folder, tmp_path):
    loaded(folder, 0.5).save(tmp_path)
    assert (tmp_path / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()


def test_a_lone_surrogate_is_refused(folder):
    with raises_code("text-not-unicode"):
        loaded(folder, 0.1).encode_randomly("a\ud800", source())
