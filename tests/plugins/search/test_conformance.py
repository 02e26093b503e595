from __future__ import annotations

from pentad.testing import DecoderConformance


class TestBeam(DecoderConformance):
    name = "beam"


class TestContrastive(DecoderConformance):
    name = "contrastive"


class TestSpeculative(DecoderConformance):
    name = "speculative"


class TestSpeculativeOfATruncation(DecoderConformance):
    name = "speculative"
    options = {"sampler": "top-k,k=20", "tokens": 2}


class TestGuidance(DecoderConformance):
    name = "guidance"


class TestGuidanceAwayFromAText(DecoderConformance):
    name = "guidance"
    options = {"negative": "9 oats", "scale": 2.0, "sampler": "mirostat"}
