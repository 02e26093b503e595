from __future__ import annotations

from pentad.testing import OptimizerConformance


class TestAdafactor(OptimizerConformance):
    name = "adafactor"


class TestLion(OptimizerConformance):
    name = "lion"


class TestScheduleFree(OptimizerConformance):
    name = "schedule-free"


class TestSGD(OptimizerConformance):
    name = "sgd"


class TestSOAP(OptimizerConformance):
    name = "soap"
