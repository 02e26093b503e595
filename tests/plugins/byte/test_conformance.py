from __future__ import annotations

from pentad.testing import TokenizerConformance


class TestByte(TokenizerConformance):
    name = "byte"
