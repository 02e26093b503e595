from __future__ import annotations

from pentad.testing import TokenizerConformance


class TestUnigram(TokenizerConformance):
    name = "sentencepiece"
    options = {"vocab_size": 600}


class TestLossy(TokenizerConformance):
    name = "sentencepiece"
    options = {"vocab_size": 400, "byte_fallback": False, "split_by_whitespace": False}


class TestMerges(TokenizerConformance):
    name = "sentencepiece"
    options = {"vocab_size": 600, "model_type": "bpe"}


class TestUnigramAtRandom(TokenizerConformance):
    name = "sentencepiece"
    options = {"vocab_size": 500, "alpha": 0.2}


class TestMergesAtRandom(TokenizerConformance):
    name = "sentencepiece"
    options = {"vocab_size": 500, "model_type": "bpe", "dropout": 0.2}
