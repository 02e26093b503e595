"""A text leafed through: its documents with their beginnings, one of them, and the places of a passage."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from pentad_studio.trace.index import Documents, Index
from pentad_studio.trace.search import Place, bound, place_of

ROWS = 25
"""Documents or places that are shown at once."""

BEGINNING = 160
"""Bytes of a document that are shown in the list."""

SHEET = 6000
"""Bytes of a document that are shown at once when it is open."""

MOST_SORTED = 1_000_000
"""Places of a passage that are put in the order of the text; of more, those that the array names first are shown."""


@dataclass(frozen=True)
class Row:
    """A document in a list: its number from 1, its bytes, and how it begins."""

    number: int
    n_bytes: int
    beginning: str


@dataclass(frozen=True)
class Sheet:
    """A part of a document.

    Args:
        number: of the document, from 1.
        start, end: bytes of the document that are shown.
        n_bytes: of the document.
        text: what is shown.
    """

    number: int
    start: int
    end: int
    n_bytes: int
    text: str


@dataclass(frozen=True)
class Hits:
    """Where a passage stands: how often, and the places from a number on."""

    wanted: str
    count: int
    first: int
    places: list[Place]


def rows(text: Documents, first: int) -> list[Row]:
    """Return the documents from a number on, counted from 1."""
    found = []
    for number in range(first - 1, min(first - 1 + ROWS, len(text.documents))):
        start, end = text.span(number)
        found.append(Row(number + 1, end - start, _text(text.slice(start, min(end, start + BEGINNING)))))
    return found


def sheet(text: Documents, number: int, at: int) -> Sheet:
    """Return a part of a document, from a byte on that is moved to the start of a character.

    Args:
        text: whose document it is.
        number: from 1; there is one of it.
        at: a byte of the document; its end at most.
    """
    start, end = text.span(number - 1)
    first = _character(text, start, start + min(at, end - start))
    last = _character(text, start, min(end, first + SHEET)) if first + SHEET < end else end
    return Sheet(number, first - start, last - start, end - start, _text(text.slice(first, last)))


def hits(text: Documents, wanted: str, first: int) -> Hits:
    """Look for a passage: by the suffix array of an index, else from the beginning to the end.

    Args:
        text: where.
        wanted: the passage, of a byte or more.
        first: number of the first place that is returned, from 1.
    """
    data = wanted.encode("utf-8", errors="replace")
    if isinstance(text, Index):
        low, high = bound(text, data, upper=False), bound(text, data, upper=True)
        count = high - low
        places = text.suffixes[low:high]
        places = np.sort(places) if count <= MOST_SORTED else places
        shown = [int(at) for at in places[first - 1 : first - 1 + ROWS]]
    else:
        found = [match.start() for match in re.finditer(b"(?=" + re.escape(data) + b")", text.text.data)]
        count, shown = len(found), found[first - 1 : first - 1 + ROWS]
    return Hits(wanted, count, first, [place_of(text, at, len(data)) for at in shown])


def _character(text: Documents, low: int, at: int) -> int:
    """Return the start of the character that a byte belongs to."""
    while at > low and text.slice(at, at + 1) and 0x80 <= text.slice(at, at + 1)[0] < 0xC0:
        at -= 1
    return at


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="ignore")  # what is cut at the end is a part of a character
