from __future__ import annotations

from lm_engine.testing import ExampleBuilderConformance


class TestPrefix(ExampleBuilderConformance):
    name = "prefix"
