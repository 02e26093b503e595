from __future__ import annotations

from pentad.testing import TokenizerConformance


class TestGPT2(TokenizerConformance):
    name = "gpt2"
