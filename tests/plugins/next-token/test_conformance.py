from __future__ import annotations

from pentad.testing import ExampleBuilderConformance, ObjectiveConformance


class TestNextToken(ExampleBuilderConformance):
    name = "next-token"


class TestBestFit(ExampleBuilderConformance):
    name = "next-token"
    options = {"packing": "best-fit"}


class TestRepacked(ExampleBuilderConformance):
    name = "next-token"
    options = {"packing": "best-fit", "repack": True}


class TestMultiToken(ExampleBuilderConformance):
    name = "multi-token"


class TestMultiTokenLoss(ObjectiveConformance):
    name = "multi-token"
