from __future__ import annotations

from lm_engine.testing import SamplerConformance


class TestMinP(SamplerConformance):
    name = "min-p"
