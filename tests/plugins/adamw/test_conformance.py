from __future__ import annotations

from lm_engine.testing import OptimizerConformance


class TestAdamW(OptimizerConformance):
    name = "adamw"
