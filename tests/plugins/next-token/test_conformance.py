from __future__ import annotations

from pentad.testing import ExampleBuilderConformance


class TestNextToken(ExampleBuilderConformance):
    name = "next-token"


class TestBestFit(ExampleBuilderConformance):
    name = "next-token"
    options = {"packing": "best-fit"}


class TestRepacked(ExampleBuilderConformance):
    name = "next-token"
    options = {"packing": "best-fit", "repack": True}
