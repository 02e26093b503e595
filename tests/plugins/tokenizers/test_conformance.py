from __future__ import annotations

from pentad.testing import TokenizerConformance


class TestChar(TokenizerConformance):
    name = "char"


class TestCharWithAnUnknownId(TokenizerConformance):
    name = "char"
    options = {"unseen": "unknown", "min_frequency": 20}


class TestWordPiece(TokenizerConformance):
    name = "wordpiece"
    options = {"vocab_size": 600}


class TestWordPieceAsInBERT(TokenizerConformance):
    name = "wordpiece"
    options = {"vocab_size": 600, "style": "bert", "lowercase": True}
