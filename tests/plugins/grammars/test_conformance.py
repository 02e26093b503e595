from __future__ import annotations

from pentad.testing import SamplerConformance


class TestRegex(SamplerConformance):
    name = "regex"


class TestRegexOfFewLetters(SamplerConformance):
    name = "regex"
    options = {"pattern": "[a-f]{3,9}"}


class TestJsonSchema(SamplerConformance):
    name = "json-schema"


class TestGrammar(SamplerConformance):
    name = "grammar"
