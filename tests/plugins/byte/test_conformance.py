from __future__ import annotations

from lm_engine.testing import TokenizerConformance


class TestByte(TokenizerConformance):
    name = "byte"
