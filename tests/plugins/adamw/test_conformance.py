from __future__ import annotations

from pentad.testing import OptimizerConformance


class TestAdamW(OptimizerConformance):
    name = "adamw"
