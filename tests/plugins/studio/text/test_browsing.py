"""A text leafed through: every document once, sheets that join to the document, and every place of a passage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydivsufsort import divsufsort

from pentad_studio.text.browsing import ROWS, SHEET, hits, rows, sheet
from pentad_studio.trace.index import BETWEEN, Documents, Index


def text_of(*documents):
    data = np.frombuffer(b"".join(one.encode() + BETWEEN for one in documents), dtype=np.uint8).copy()
    starts = np.cumsum([0, *(len(one.encode()) + 1 for one in documents)])[:-1].astype(np.int64)
    return Documents(data, starts), Index(data, starts, divsufsort(data))


def test_the_list_has_every_document_once():
    documents = [f"document {number} " + "é" * number for number in range(60)]
    text, _ = text_of(*documents)
    found = [row for first in range(1, 61, ROWS) for row in rows(text, first)]
    assert [row.number for row in found] == list(range(1, 61))
    assert [row.n_bytes for row in found] == [len(one.encode()) for one in documents]
    assert all(one.startswith(row.beginning) for one, row in zip(documents, found, strict=True))
    assert rows(text, 1000) == []


@pytest.mark.parametrize("letter", ["a", "é", "€", "🙂"])
def test_sheets_join_to_the_document(letter):
    document = letter * (3 * SHEET // len(letter.encode()) + 5)
    text, _ = text_of("before", document, "behind")
    at, parts = 0, []
    while at < len(document.encode()):
        part = sheet(text, 2, at)
        assert part.start == at and part.end > at
        parts.append(part.text)
        at = part.end
    assert "".join(parts) == document


def test_a_sheet_begins_with_a_character():
    text, _ = text_of("é" * 10)
    assert (sheet(text, 1, 3).start, sheet(text, 1, 3).text) == (2, "é" * 9)
    assert sheet(text, 1, 10_000).text == ""


@given(st.lists(st.text("aé", min_size=1, max_size=12), min_size=1, max_size=4), st.text("aé", min_size=1, max_size=3))
def test_a_passage_is_found_everywhere_with_and_without_the_array(documents, wanted):
    text, index = text_of(*documents)
    data = wanted.encode()
    expected = [
        (number, at)
        for number, one in enumerate(documents, 1)
        for at in range(len(one.encode()))
        if one.encode().startswith(data, at)
    ]
    for where in (text, index):
        found = hits(where, wanted, 1)
        assert found.count == len(expected)
        assert [(place.document, place.offset) for place in found.places] == expected[:ROWS]
        assert [(place.document, place.offset) for place in hits(where, wanted, 3).places] == expected[2 : 2 + ROWS]
