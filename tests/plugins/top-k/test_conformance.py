from __future__ import annotations

from pentad.testing import SamplerConformance


class TestTopK(SamplerConformance):
    name = "top-k"
