from __future__ import annotations

from pentad.testing import TokenizerConformance


class TestBPE(TokenizerConformance):
    name = "bpe"
    options = {"vocab_size": 600}
