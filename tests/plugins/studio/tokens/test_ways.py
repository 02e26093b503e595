"""Ways to cut a word: those of the tokenizer, with the one that it takes marked, and none of one that merges."""

from __future__ import annotations

import math

import pytest

from pentad import Choice, make
from pentad_studio.tokens.ways import ways_of


@pytest.fixture(scope="module")
def unigram(catalogue, text_file):
    tokenizer = make("tokenizer", Choice("sentencepiece", vocab_size=300), catalogue=catalogue)
    tokenizer.train([text_file.read_text(encoding="utf-8")])
    return tokenizer


def test_the_one_that_is_taken_comes_first(unigram):
    ways = ways_of(unigram, " bottles")
    assert len(ways) > 1
    assert [way.taken for way in ways] == [True, *[False] * (len(ways) - 1)]
    assert ways[0].score == pytest.approx(math.fsum(score for _, score in ways[0].pieces))
    for way in ways:
        assert "".join(text for parts, _ in way.pieces for text, _ in parts) == " bottles"


def test_one_that_merges_has_none(catalogue):
    assert ways_of(make("tokenizer", "gpt2", catalogue=catalogue), " bottles") == []


def test_the_page_shows_them(page, text_file, tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path))
    fields = {
        "text": "9 bottles",
        "tokenizer-0": "named:sentencepiece",
        "option-0.vocab_size": "300",
        "data-0": str(text_file),
    }
    shown = page.ask("tokens-part?column=0", **fields)
    assert "as likely" in shown and "the likeliest is taken" in shown
