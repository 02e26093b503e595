"""The held-out split: cut first, complete, the same everywhere, and never in the training text."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pentad import UsageError
from pentad.data.pieces import Piece, cut
from pentad.data.split import split_corpus
from pentad.testing import raises_code


class Text:
    """Documents in memory, cut small so that documents have several pieces."""

    def __init__(self, documents, size=8):
        self.documents, self.size = list(documents), size

    def pieces(self):
        for document in self.documents:
            yield from cut([document], self.size)


def documents(part) -> list[str]:
    found, text = [], ""
    for piece in part.pieces():
        text += piece.text
        if piece.ends_document:
            found.append(text)
            text = ""
    assert text == ""
    return found


def many(count, seed=0) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices("abc é\n", k=draw.randint(1, 60))) for _ in range(count)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("abé😀 \n", max_size=40), min_size=1, max_size=40),
    st.floats(0, 0.95),
    st.integers(2, 50),
    st.booleans(),
)
def test_every_byte_lands_on_one_side_and_no_document_on_both(texts, share, size, drop):
    corpus = Text(texts, size)
    try:
        split = split_corpus(corpus, share, drop_duplicates=drop)
    except UsageError:
        return
    sides = [documents(part) for part in (split.train, split.held_out)]
    for part, side in zip((split.train, split.held_out), sides, strict=True):
        assert part.n_bytes == len("".join(side).encode())
        assert part.n_documents == len(side)
    assert not set(sides[0]) & set(sides[1])
    texts = [text for text in texts if text]
    expected = list(dict.fromkeys(texts)) if drop else texts
    assert split.n_duplicates == len(texts) - len(set(texts))
    if split.rule == "tails":
        assert sorted("".join(sides[0] + sides[1])) == sorted("".join(expected))
    else:
        assert sorted(sides[0] + sides[1]) == sorted(expected)


def test_whole_documents_when_there_are_twenty():
    texts = many(200)
    split = split_corpus(Text(texts), 0.1)
    total = len("".join(texts).encode())
    assert split.rule == "documents"
    assert 0.09 < split.held_out.n_bytes / total < 0.12
    assert split_corpus(Text(many(19)), 0.1).rule == "tails"


def test_the_choice_depends_on_the_text_alone():
    texts = many(100)
    chosen = set(documents(split_corpus(Text(texts), 0.1).held_out))
    assert set(documents(split_corpus(Text(texts[::-1], size=50), 0.1).held_out)) == chosen
    grown = set(documents(split_corpus(Text(texts + many(10, seed=1)), 0.1).held_out))
    assert len(chosen & grown) >= len(chosen) - 3


def test_duplicates_land_on_one_side_and_are_counted():
    texts = many(60) * 3
    split = split_corpus(Text(texts), 0.2)
    assert not set(documents(split.train)) & set(documents(split.held_out))
    repeats = len(texts) - len(set(texts))
    assert (split.n_duplicates, split.dropped) == (repeats, False)
    dropped = split_corpus(Text(texts), 0.2, drop_duplicates=True)
    assert dropped.train.n_documents + dropped.held_out.n_documents == len(set(texts))
    assert dropped.duplicate_bytes == sum(len(text.encode()) for text in texts) - sum(len(t.encode()) for t in set(texts))


def test_one_ascii_file_is_split_as_nanogpt_splits_it():
    text = "To be, or not to be: that is the question.\n" * 100 + "end"
    split = split_corpus(Text([text], size=100), 0.1)
    assert documents(split.train) == [text[: int(len(text) * 0.9)]]
    assert documents(split.held_out) == [text[int(len(text) * 0.9) :]]


def test_tails_are_cut_between_characters():
    split = split_corpus(Text(["é" * 10 + "é", "aaaa😀"], size=3), 0.2)
    assert documents(split.train) == ["é" * 8, "aaaa"]
    assert documents(split.held_out) == ["ééé", "😀"]


def test_tails_when_one_document_is_nearly_all_the_text():
    texts = [*many(30), "x y " * 10_000]
    split = split_corpus(Text(texts, 64), 0.1)
    assert split.rule == "tails"
    assert split.held_out.n_documents > 1


def test_nothing_held_out():
    split = split_corpus(Text(["abc"]), 0)
    assert (split.rule, split.held_out.n_bytes, split.held_out.n_documents, list(split.held_out.pieces())) == (
        "nothing",
        0,
        0,
        [],
    )
    assert documents(split.train) == ["abc"]


def test_a_held_out_corpus_is_kept_out_of_training():
    split = split_corpus(Text(["a b", "c d", "e"]), 0.1, Text(["c d", "z"]))
    assert documents(split.train) == ["a b", "e"]
    assert documents(split.held_out) == ["c d", "z"]
    assert (split.rule, split.n_withheld) == ("corpus", 1)
    with raises_code("held-out-seen"):
        split_corpus(Text(["a"]), 0.1, Text(["a", "b"]))
    with raises_code("held-out-empty"):
        split_corpus(Text(["a"]), 0.1, Text([]))


def test_training_text_in_the_held_out_part_is_refused():
    # The tail of "ab" is "b", the training part of "bc" is "b" too.
    with raises_code("held-out-takes-all"):
        split_corpus(Text(["ab", "bc"]), 0.5)


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, float("nan")])
def test_a_share_out_of_bounds(share):
    with raises_code("option-bounds"):
        split_corpus(Text(["abc"]), share)


def test_no_text():
    with raises_code("text-empty"):
        split_corpus(Text([""]), 0.1)
    with raises_code("training-text-empty"):
        split_corpus(Text(["a"]), 0.1)


@pytest.mark.parametrize(
    "change", [lambda t: [*t, "more"], lambda t: t[:-1], lambda t: [t[0].swapcase(), *t[1:]], lambda t: []]
)
@pytest.mark.parametrize("count", [3, 40])
def test_text_that_changes_after_the_survey_is_noticed(change, count):
    corpus = Text([f"{number} document é" for number in range(count)])
    split = split_corpus(corpus, 0.1)
    corpus.documents = change(corpus.documents)
    with raises_code("text-changed"):
        for part in (split.train, split.held_out):
            list(part.pieces())


def test_fingerprints_tell_texts_and_shares_apart():
    prints = set()
    for texts, share, drop in (
        (many(40), 0.1, False),
        (many(40, seed=1), 0.1, False),
        (many(40), 0.3, False),
        (["a b c d e f"], 0.2, False),
        (["a b c ", "d e f"], 0.2, False),
    ):
        split = split_corpus(Text(texts), share, drop_duplicates=drop)
        prints |= {split.fingerprint, split.train.fingerprint, split.held_out.fingerprint}
        assert split.fingerprint == split_corpus(Text(texts, 50), share).fingerprint
    assert len(prints) == 15


def test_no_hash_stands_on_both_sides():
    split = split_corpus(Text(many(300) * 2), 0.1)
    hashes = [{hashlib.sha256(text.encode()).digest() for text in documents(part)} for part in (split.train, split.held_out)]
    assert hashes[0] and hashes[1] and not hashes[0] & hashes[1]


def test_many_short_documents_take_little_memory():
    """A set of Python's integers takes 60 bytes and more for each member: a gigabyte of lines would not fit into two."""
    count = 50_000
    lines = [Piece(f"{number} cats", True) for number in range(count)]
    corpus = types.SimpleNamespace(pieces=lambda: iter(lines))
    tracemalloc.start()
    split = split_corpus(corpus, 0.1)
    assert split.rule == "documents" and split.train.n_documents + split.held_out.n_documents == count
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80 * count


@pytest.mark.parametrize(
    ("texts", "share", "drop", "expected"),
    [
        (many(60) * 2, 0.1, False, "documents d02bf1f5dfec"),
        (many(60) * 2, 0.3, True, "documents 9492992954d3"),
        (many(12), 0.2, True, "tails 741752c6acf5"),
    ],
)
def test_the_same_text_is_split_as_ever(texts, share, drop, expected):
    """A fingerprint that changes parts every run from its text, and every cache from its tokens."""
    split = split_corpus(Text(texts), share, drop_duplicates=drop)
    assert f"{split.rule} {split.fingerprint[:12]}" == expected
