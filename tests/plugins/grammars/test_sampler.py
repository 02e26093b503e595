"""Every text that ends by itself matches, by other implementations than the one that made it: re and json."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pentad import Limits
from pentad.testing import raises_code
from pentad.testing.subjects import Bytes

ATOMS = st.sampled_from(["a", "b", "é", "[a-c]", "[^a]", "[0-9]", "0{2}", "x/y", "(ab|bc)", "日"])
REPEATS = st.sampled_from(["", "?", "+", "{1,3}", "*"])


@settings(max_examples=25, deadline=None)
@given(parts=st.lists(st.tuples(ATOMS, REPEATS), min_size=1, max_size=4))
def test_every_text_matches_the_expression(written, parts):
    pattern = "".join(f"({atom}){repeat}" for atom, repeat in parts)
    found = written("regex", pattern=pattern, limits=Limits(max_tokens=60, samples=4))
    assert any(ended == "stop" for _, ended in found) or "*" in pattern or "+" in pattern
    for text, ended in found:
        assert ended != "stop" or re.fullmatch(pattern, text), pattern


def test_texts_differ_and_end_where_they_must(written):
    found = written("regex", pattern="[0-9]{2,4}", limits=Limits(max_tokens=9, samples=60))
    assert all(re.fullmatch("[0-9]{2,4}", text) and ended == "stop" for text, ended in found)
    assert len(set(found)) > 6
    assert {len(text) for text, _ in found} > {4}


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]{1,6}$"},
        "age": {"type": "integer", "minimum": 3, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["ab", "é", None, True]}, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("whitespace", [False, True])
def test_every_text_is_a_value_of_the_schema(whitespace, written):
    found = written("json-schema", schema=json.dumps(SCHEMA), whitespace=whitespace, limits=Limits(max_tokens=400, samples=8))
    ended = [text for text, why in found if why == "stop"]
    assert len(ended) >= 6
    for text in ended:
        value = json.loads(text)
        assert set(value) == {"name", "age", "tags"}
        assert re.fullmatch("[a-z]{1,6}", value["name"]) and 3 <= value["age"] <= 120
        assert 1 <= len(value["tags"]) <= 3 and all(tag in ("ab", "é", None, True) for tag in value["tags"])
        assert whitespace or re.search(r"\s", text) is None


def test_every_text_is_derived_by_the_grammar(written, tmp_path):
    """Brackets to any depth, which no regular expression can match."""
    rules = tmp_path / "rules.lark"
    rules.write_text('start: "(" start ")" | /[a-c]/ start | "x"\n')
    found = written("grammar", rules=f"@{rules}")
    ended = [text for text, why in found if why == "stop"]
    assert len(ended) >= 8 and any("(" in text for text in ended)
    for text in ended:
        opened = text.count("(")
        assert opened == text.count(")") and re.fullmatch(r"[(a-c]*x\)*", text)


def test_what_is_cut_off_is_the_beginning_of_a_match(written):
    for text, why in written("regex", pattern="a{50}", limits=Limits(max_tokens=5, samples=2)):
        assert why == "length" and re.fullmatch("a{5}", text)


def test_it_stands_in_a_chain(written):
    found = written("regex+greedy", pattern="[0-9]{2,4}", limits=Limits(max_tokens=9, samples=3))
    assert len(set(found)) == 1 and re.fullmatch("[0-9]{2,4}", found[0][0])


def test_speculative_decoding_keeps_to_it(written):
    found = written("speculative", sampler="regex,pattern=(ab)+x", limits=Limits(max_tokens=60, samples=6))
    assert all(re.fullmatch("(ab)+x", text) for text, why in found if why == "stop")
    assert any(why == "stop" for _, why in found)


class WithoutDigits(Bytes):
    """A tokenizer that has lost its digits."""

    def token_bytes(self, token: int) -> bytes:
        return b"x" if 48 <= token < 58 else super().token_bytes(token)


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({"pattern": "a[0-9]"}, {"cuts": WithoutDigits()}),
        ({"pattern": "[^\\x00-\\U0010ffff]"}, {}),
        ({"pattern": "ab"}, {"limits": Limits(max_tokens=9, ignore_end=True)}),
        ({"pattern": "ab"}, {"limits": Limits(max_tokens=9, min_tokens=5)}),
    ],
)
def test_a_dead_end_is_told(options, more, written):
    with raises_code("grammar-dead-end"):
        written("regex", **options, **more)


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("regex", {"pattern": "(a"}, "grammar-invalid"),
        ("regex", {"pattern": "(?=a)b"}, "grammar-invalid"),
        ("json-schema", {"schema": "{"}, "grammar-invalid"),
        ("json-schema", {"schema": "[]"}, "grammar-invalid"),
        ("json-schema", {"schema": '{"type": "array", "uniqueItems": true}'}, "grammar-invalid"),
        ("grammar", {"rules": "start: nowhere"}, "grammar-invalid"),
        ("grammar", {"rules": "@nowhere.lark"}, "file-not-readable"),
    ],
)
def test_what_cannot_be_held_to_is_refused(name, options, code, written):
    with raises_code(code):
        written(name, **options)
