from __future__ import annotations

from pentad.testing import ExampleBuilderConformance


class TestPrefix(ExampleBuilderConformance):
    name = "prefix"
