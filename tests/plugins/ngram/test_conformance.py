from __future__ import annotations

from pentad.testing import ModelConformance


class TestDefaults(ModelConformance):
    name = "ngram"


class TestUnigram(ModelConformance):
    name = "ngram"
    options = {"order": 1}
    expected_failures = {"reads_its_input": "no token is looked back on"}


class TestOneDiscount(ModelConformance):
    name = "ngram"
    options = {"order": 3, "discount": 0.75}
