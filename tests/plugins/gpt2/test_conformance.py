from __future__ import annotations

from lm_engine.testing import TokenizerConformance


class TestGPT2(TokenizerConformance):
    name = "gpt2"
