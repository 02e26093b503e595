from __future__ import annotations

from pentad.testing import SamplerConformance


class TestTopP(SamplerConformance):
    name = "top-p"
