from __future__ import annotations

from lm_engine.testing import ExampleBuilderConformance


class TestNextToken(ExampleBuilderConformance):
    name = "next-token"
