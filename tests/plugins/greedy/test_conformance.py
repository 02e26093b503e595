from __future__ import annotations

from pentad.testing import SamplerConformance


class TestGreedy(SamplerConformance):
    name = "greedy"
