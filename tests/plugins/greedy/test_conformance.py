from __future__ import annotations

from lm_engine.testing import SamplerConformance


class TestGreedy(SamplerConformance):
    name = "greedy"
