"""Passages: found where they stand, as long as they are, counted, and never across two documents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydivsufsort import divsufsort

from pentad_studio.trace.index import BETWEEN, Index
from pentad_studio.trace.search import bound, trace


def index_of(*documents):
    data = b"".join(document.encode() + BETWEEN for document in documents)
    text = np.frombuffer(data, dtype=np.uint8).copy()
    starts = np.cumsum([0, *(len(document.encode()) + 1 for document in documents)])[:-1]
    return Index(text, starts.astype(np.int64), divsufsort(text) if len(text) else np.empty(0, dtype=np.int32))


BOOKS = index_of("It was the best of times, it was the worst of times", "Call me Ishmael. Some years ago")


def test_a_passage_is_found_where_it_stands():
    found = trace(BOOKS, "He said: Call me Ishmael. And left", least=10)
    (passage,) = found.passages
    assert (passage.text, passage.count) == ("Call me Ishmael. ", 1)
    (place,) = passage.places
    assert (place.document, place.offset, place.before, place.after) == (2, 0, "", "Some years ago")
    assert found.share == len("Call me Ishmael. ") / len("He said: Call me Ishmael. And left")
    assert found.segments == [("He said: ", False), ("Call me Ishmael. ", True), ("And left", False)]


def test_what_stands_often_is_counted():
    (passage,) = trace(BOOKS, " of times", least=5).passages
    assert passage.count == 2
    assert [place.offset for place in passage.places] == [15, 42]


def test_no_passage_crosses_into_another_document():
    found = trace(BOOKS, "the worst of timesCall me Ishmael", least=5)
    assert [passage.text for passage in found.passages] == ["the worst of times", "Call me Ishmael"]


def test_overlapping_passages_are_both_shown_and_counted_once():
    found = trace(index_of("abcdef", "defghi"), "abcdefghi", least=4)
    assert [passage.text for passage in found.passages] == ["abcdef", "defghi"]
    assert found.covered == found.n_bytes == 9


def test_short_matches_are_named_by_the_longest_alone():
    found = trace(BOOKS, "Ishmael", least=20)
    assert (found.passages, found.longest, found.covered) == ([], 7, 0)


def test_characters_stay_whole():
    found = trace(index_of("größer als"), "größe ß", least=4)
    assert [text for text, _ in found.segments] == ["größe", " ß"]


@pytest.mark.parametrize("text", ["", "x"])
def test_nothing_is_no_error(text):
    assert trace(index_of(), text).passages == []
    assert trace(BOOKS, "").n_bytes == 0


@given(st.lists(st.text("ab\u00e9", max_size=12), min_size=1, max_size=4), st.text("ab\u00e9", max_size=10), st.integers(1, 4))
def test_it_is_as_looking_everywhere_would_find_it(documents, text, least):
    found, data = trace(index_of(*documents), text, least), text.encode()
    raw = [document.encode() for document in documents]
    lengths = [
        max((n for n in range(1, len(data) - i + 1) if any(data[i : i + n] in one for one in raw)), default=0)
        for i in range(len(data))
    ]
    covered = {place for i, n in enumerate(lengths) if n >= least for place in range(i, i + n)}
    assert found.covered == len(covered)
    assert found.longest == max(lengths, default=0)
    for passage in found.passages:
        part = data[passage.start : passage.end]
        assert passage.count == sum(one[i:].startswith(part) for one in raw for i in range(len(one)))


def test_bounds_are_those_of_the_order():
    assert bound(BOOKS, b"of times", upper=True) - bound(BOOKS, b"of times", upper=False) == 2
    assert bound(BOOKS, b"zzz", upper=True) == bound(BOOKS, b"zzz", upper=False)
