"""Characters as ids, the ids that a dictionary gives, and bytes or one id for what was not seen."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pentad.testing import raises_code
from pentad.testing.stages.tokenizer import sample_texts
from pentad_tokenizers.char import Char, CharOptions

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("abé漢🙂"))


def trained(texts, **options) -> Char:
    tokenizer = Char(CharOptions(**options))
    tokenizer.train(texts)
    return tokenizer


@pytest.fixture(scope="module")
def char():
    return trained(sample_texts())


@settings(max_examples=120, deadline=None)
@given(TEXT)
@example("a\u0000\u007f\u0080\u07ff\u0800\uffff\U00010000\U0010ffff")
def test_round_trip_over_all_of_unicode(char, text):
    ids = char.encode(text)
    assert char.decode(ids) == text
    assert b"".join(map(char.token_bytes, ids.tolist())) == text.encode()


def test_characters_of_every_plane_come_back_and_one_that_was_seen_is_one_id(char):
    every = "".join(chr(code) for code in (*range(0, 0x110000, 7), 0x10FFFF) if not 0xD800 <= code < 0xE000)
    assert char.decode(char.encode(every)) == every
    text = "".join(sample_texts())
    assert len(char.encode(text)) == len(text)


@given(st.text(st.sampled_from("hello world\n"), min_size=1))
def test_ids_are_those_of_a_dictionary_of_characters(text):
    """As in Karpathy's char-rnn and nanoGPT: sorted characters, numbered."""
    number = {character: place for place, character in enumerate(sorted(set("hello world\n")))}
    tokenizer = trained(["hello", " world\n"], unseen="unknown")
    assert tokenizer.encode(text).tolist() == [number[character] for character in text]
    assert tokenizer.vocab_size == len(number) + 2


def test_unseen_characters_in_bytes():
    tokenizer = trained(["aé"])
    assert tokenizer.encode("éaб🙂").tolist() == [256, 97, *"б🙂".encode()]
    assert tokenizer.vocab_size == 258
    assert tokenizer.lossless


def test_unseen_characters_as_one_id_are_lost():
    tokenizer = trained(["ab"], unseen="unknown")
    assert tokenizer.encode("abcd").tolist() == [0, 1, 2, 2]
    assert tokenizer.decode([0, 2, 1, 3]) == "ab"
    assert not tokenizer.lossless


def test_rare_characters_get_no_id():
    text = ["é" * 5 + "ü" * 3 + "ß" * 3 + "ñ"]
    assert trained(text, max_characters=2)._characters == "ßé"  # ß before ü: the lower code point
    assert trained(text, min_frequency=3)._characters == "ßéü"
    assert trained([], min_frequency=3).encode("hi").tolist() == [104, 105]


def test_training_reads_no_more_than_it_was_told():
    tokenizer = trained(iter(["a" * 999_999 + "béü", "ñ"]), train_mb=1)
    assert tokenizer._characters == "ab"


@pytest.mark.parametrize(
    "damage",
    [
        {"characters": "ba"},
        {"characters": "aa"},
        {"characters": ["a"]},
        {"characters": "\ud800"},
        {"unseen": "unknown"},
        {"format": 2},
    ],
)
def test_damaged_files_are_refused(tmp_path, damage):
    trained(["ab"]).save(tmp_path)
    path = tmp_path / "char.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with raises_code("tokenizer-damaged"):
        Char(CharOptions()).load(tmp_path)


def test_untrained_says_so():
    with raises_code("tokenizer-untrained"):
        Char(CharOptions()).encode("a")
