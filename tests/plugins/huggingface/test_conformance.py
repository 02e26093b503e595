from __future__ import annotations

from pentad.testing import TokenizerConformance


class TestHuggingFace(TokenizerConformance):
    name = "huggingface"
