from __future__ import annotations

from pentad.testing import TokenizerConformance


class TestUnigram(TokenizerConformance):
    name = "sentencepiece"
    options = {"vocab_size": 600}


class TestMerges(TokenizerConformance):
    name = "sentencepiece"
    options = {"vocab_size": 600, "model_type": "bpe"}
