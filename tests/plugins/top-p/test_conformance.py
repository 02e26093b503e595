from __future__ import annotations

from lm_engine.testing import SamplerConformance


class TestTopP(SamplerConformance):
    name = "top-p"
