from __future__ import annotations

from pentad.testing import ExampleBuilderConformance


class TestNextToken(ExampleBuilderConformance):
    name = "next-token"
