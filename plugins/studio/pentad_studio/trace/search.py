"""Passages of a text that stand in the training text word for word, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pentad_studio.trace.index import BETWEEN, Documents, Index

LEAST = 24
"""Bytes of a passage that is shown, unless another number is asked for: of shorter ones any two texts share many."""

MOST_BYTES = 20_000
"""Of a text that is looked for: some 40 microseconds each."""

PASSAGES, PLACES, AROUND = 50, 5, 90
"""Passages that are shown, places of each, and bytes of context on each side."""


@dataclass(frozen=True)
class Place:
    """Where a passage stands: the document's number from 1, the byte within it, and the text before and behind."""

    document: int
    offset: int
    before: str
    after: str


@dataclass(frozen=True)
class Passage:
    """A passage that both texts have, as long as it can be.

    Args:
        start, end: its bytes in the text that was looked for.
        text: itself.
        count: how often the training text has it.
        places: the first of them.
    """

    start: int
    end: int
    text: str
    count: int
    places: list[Place]


@dataclass(frozen=True)
class Trace:
    """What of a text stands in the training text.

    Args:
        n_bytes: of the text.
        least: bytes of a passage at least.
        covered: bytes in such passages.
        longest: bytes of the longest match, however short.
        passages: in the order of the text.
        more: passages that are not among these.
        segments: the text in stretches, each with whether it is covered.
    """

    n_bytes: int
    least: int
    covered: int
    longest: int
    passages: list[Passage]
    more: int
    segments: list[tuple[str, bool]]

    @property
    def share(self) -> float:
        """Share of the text's bytes that stand in the training text."""
        return self.covered / max(self.n_bytes, 1)


def trace(index: Index, text: str, least: int = LEAST) -> Trace:
    """Look for a text, and for its longest pieces.

    Args:
        index: of the training text.
        text: at most `MOST_BYTES` bytes of it are looked for.
        least: bytes of a passage at least.
    """
    data = text.encode("utf-8", errors="replace")[:MOST_BYTES]
    lengths = [_longest(index, data, start) for start in range(len(data))]
    spans = _maximal(lengths, max(least, 1))
    edges = np.zeros(len(data) + 1, dtype=np.int64)
    for start, end in spans:
        edges[start] += 1
        edges[end] -= 1
    is_covered = edges.cumsum()[:-1] > 0
    shown = sorted(sorted(spans, key=lambda span: span[0] - span[1])[:PASSAGES])
    return Trace(
        n_bytes=len(data),
        least=least,
        covered=int(is_covered.sum()),
        longest=max(lengths, default=0),
        passages=[_passage(index, data, *span) for span in shown],
        more=len(spans) - len(shown),
        segments=_segments(data, is_covered.tolist()),
    )


def _maximal(lengths: list[int], least: int) -> list[tuple[int, int]]:
    """Return the matches that lie in no longer one."""
    spans, reached = [], 0
    for start, length in enumerate(lengths):
        if start + length > reached and length >= least:
            spans.append((start, start + length))
        reached = max(reached, start + length)
    return spans


def _longest(index: Index, data: bytes, start: int) -> int:
    """Return the bytes of the longest passage from a place on that the training text has."""
    wanted = data[start:]
    place = bound(index, wanted, upper=False)
    near = [int(index.suffixes[at]) for at in (place - 1, place) if 0 <= at < len(index.suffixes)]
    return max((_common(index.slice(at, at + len(wanted)), wanted) for at in near), default=0)


def _common(one: bytes, other: bytes) -> int:
    """Return how many bytes two have in common at their start; never one between documents, which no text has."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # by halves: comparing slices is far quicker than a loop over bytes
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def bound(index: Index, wanted: bytes, *, upper: bool) -> int:
    """Return the first place in the order of suffixes not before a passage; `upper`: behind all that begin so."""
    low, high = 0, len(index.suffixes)
    while low < high:
        middle = (low + high) // 2
        at = int(index.suffixes[middle])
        found = index.slice(at, at + len(wanted))
        if found < wanted or (upper and found == wanted):
            low = middle + 1
        else:
            high = middle
    return low


def _passage(index: Index, data: bytes, start: int, end: int) -> Passage:
    wanted = data[start:end]
    first, last = bound(index, wanted, upper=False), bound(index, wanted, upper=True)
    places = sorted(int(at) for at in index.suffixes[first : min(last, first + PLACES)])
    return Passage(start, end, _text(wanted), last - first, [place_of(index, at, len(wanted)) for at in places])


def place_of(index: Documents, at: int, length: int) -> Place:
    """Return where a passage stands that begins at a byte of the whole text."""
    document = int(np.searchsorted(index.documents, at, side="right")) - 1
    begin = int(index.documents[document])
    before = index.slice(max(begin, at - AROUND), at)
    after = index.slice(at + length, at + length + AROUND).partition(BETWEEN)[0]
    return Place(document + 1, at - begin, _text(before), _text(after))


def _segments(data: bytes, covered: list[bool]) -> list[tuple[str, bool]]:
    """Return a text in stretches that are covered or not; a character belongs to the stretch of its first byte."""
    found: list[tuple[bytes, bool]] = []
    for number, byte in enumerate(data):
        goes_on = 0x80 <= byte < 0xC0
        if found and (goes_on or found[-1][1] == covered[number]):
            found[-1] = (found[-1][0] + data[number : number + 1], found[-1][1])
        else:
            found.append((data[number : number + 1], covered[number]))
    return [(_text(part), is_covered) for part, is_covered in found]


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
