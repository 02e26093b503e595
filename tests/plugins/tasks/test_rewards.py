"""What each check takes for right, by hand."""

from __future__ import annotations

import pytest

from pentad import Catalogue, make_named
from pentad.testing import RewardConformance

CATALOGUE = Catalogue()


class TestExact(RewardConformance):
    name = "exact"


class TestNumber(RewardConformance):
    name = "number"


class TestWords(RewardConformance):
    name = "words"


class TestItems(RewardConformance):
    name = "items"
    expected = "red, green"


class TestPrefix(RewardConformance):
    name = "prefix"


@pytest.mark.parametrize(
    ("name", "expected", "answer", "value"),
    [
        ("exact", "5", " 5\n", 1),
        ("exact", "5", "5.", 0),
        ("number", "5", "2 + 3 is 5.", 1),
        ("number", "5", "5 and not 6", 0),
        ("number", "-2", "It is -2", 1),
        ("number", "5", "five", 0),
        ("number", "five", "5", 0),
        ("words", "a b c", "A, b; C!", 1),
        ("words", "a b c", "a c b", 0),
        ("items", "red, green", "cat, dog", 1),
        ("items", "red, green", "cat, cat", 0),
        ("items", "red, green", "a cat, dog", 0),
        ("items", "red, green", "cat, dog,", 0),
        ("prefix", "abcd", "abxx", 0.5),
        ("prefix", "abcd", "abcdabcd", 0.5),
        ("prefix", "abcd", "", 0),
    ],
)
def test_by_hand(name, expected, answer, value):
    assert list(make_named("reward", name, catalogue=CATALOGUE).rewards("", [answer], expected)) == [value]
