from __future__ import annotations

from lm_engine.testing import OptimizerConformance


class TestMuon(OptimizerConformance):
    name = "muon"
