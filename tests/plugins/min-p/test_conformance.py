from __future__ import annotations

from pentad.testing import SamplerConformance


class TestMinP(SamplerConformance):
    name = "min-p"
