from __future__ import annotations

from pentad.testing import OptimizerConformance


class TestMuon(OptimizerConformance):
    name = "muon"


class TestNorMuon(OptimizerConformance):
    name = "normuon"
