"""Documents that are repeated: to the letter, nearly, and over the split; what differs is left alone."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pentad_studio.text import duplicates
from pentad_studio.text.duplicates import find_duplicates, shingles, similarity
from pentad_studio.trace.index import BETWEEN, Documents


def text_of(*documents):
    data = np.frombuffer(b"".join(one.encode() + BETWEEN for one in documents), dtype=np.uint8)
    starts = np.cumsum([0, *(len(one.encode()) + 1 for one in documents)])[:-1].astype(np.int64)
    return Documents(data, starts)


@pytest.fixture(scope="module")
def texts():
    rng = random.Random(3)
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 8))) for _ in range(800)]
    return [" ".join(rng.choices(words, k=120)) for _ in range(120)]


def test_repeats_are_found_on_both_sides_of_the_split(texts):
    train, held_out = list(texts[:100]), list(texts[100:])
    train[50] = train[60] = train[5]
    held_out[3] = train[9]
    changed = train[20].split(" ")
    changed[40] = "another"
    train[70], held_out[8] = " ".join(changed), "\n".join(changed).upper()
    found = find_duplicates(text_of(*train), text_of(*held_out))
    assert (found.by_document, found.compared, found.total, found.held_out) == (True, 120, 120, 20)
    assert (found.exact, found.near, found.leaked, found.n_groups) == (3, 2, 2, 3)
    assert found.exact_bytes == 2 * len(train[5]) + len(train[9])
    across = [[(one.held_out, one.document) for one in group.members] for group in found.groups if group.across]
    assert sorted(across) == [[(False, 10), (True, 4)], [(False, 21), (False, 71), (True, 9)]]
    (within,) = (group for group in found.groups if not group.across)
    assert within.exact and [one.document for one in within.members] == [6, 51, 61]
    assert found.groups[-1] is within  # what leaks comes first
    near = next(group for group in found.groups if not group.exact)
    assert [one.similarity < 1 for one in near.members] == [False, True, True]
    assert all(one.similarity > duplicates.ALIKE for one in near.members)


def test_of_few_documents_the_paragraphs_are_compared(texts):
    train = text_of("\n\n".join([*texts[:5], "short", texts[2]]))
    found = find_duplicates(train, text_of(texts[4]))
    assert not found.by_document and found.compared == 7 and found.exact == 2
    places = [[train.slice(one.offset, one.offset + one.n_bytes) for one in group.members] for group in found.groups[1:]]
    assert places == [[texts[2].encode()] * 2]


def test_a_group_shows_some_of_both_sides(texts):
    found = find_duplicates(text_of(*texts[:12], *[texts[0]] * 30), text_of(*[texts[0]] * 30))
    (group,) = found.groups
    assert group.count == 61 and found.leaked == 30
    assert [one.held_out for one in group.members] == [False] * 3 + [True] * 3


def test_of_a_longer_list_the_first_are_compared(texts, monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_UNITS", 20)
    found = find_duplicates(text_of(*texts[:30], texts[0]), text_of())
    assert (found.compared, found.total, found.exact) == (20, 31, 0)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(max_size=80), max_size=20), st.lists(st.text(max_size=80), max_size=4))
def test_any_text_is_compared(train, held_out):
    found = find_duplicates(text_of(*train), text_of(*held_out))
    assert found.compared <= found.total and found.exact + found.near <= max(found.compared - 1, 0)
    assert sum(group.count - 1 for group in found.groups) == found.exact + found.near


@settings(deadline=None)
@given(st.text(min_size=30, max_size=200), st.text(min_size=1, max_size=60))
def test_similarity_is_that_of_sets(text, more):
    one, other = shingles(text.encode()), shingles((text + more).encode())
    both = set(one.tolist()) & set(other.tolist())
    assert similarity(one, other) == pytest.approx(len(both) / max(len({*one.tolist(), *other.tolist()}), 1))


def test_shingles_leave_case_and_white_space_aside():
    data = b"What is 2 + 2?  It is four,\nas ever, in every world that is known."
    assert np.array_equal(shingles(data), shingles(data.upper().replace(b"  ", b" \t\n").replace(b" ", b"\n")))
    assert len(shingles(data[20:43])) == 0 and len(shingles(data[20:44])) == 1
