from __future__ import annotations

from pentad.testing import SamplerConformance


class TestTemperature(SamplerConformance):
    name = "temperature"
