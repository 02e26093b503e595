from __future__ import annotations

from lm_engine.testing import TokenizerConformance


class TestBPE(TokenizerConformance):
    name = "bpe"
    options = {"vocab_size": 600}
