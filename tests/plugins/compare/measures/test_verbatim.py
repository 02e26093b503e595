"""Passages from the training text, against searching with `in`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pentad.data.pieces import Piece
from pentad_compare.measures.verbatim import SuffixArray


def of(*documents, **more):
    memory, reason = SuffixArray.of([Piece(text, True) for text in documents], **more)
    assert not reason
    return memory


def brute_lengths(documents, text):
    """Return the longest passages that a document holds, by trying all of them."""
    return [
        max(
            (end - start for end in range(start, len(text) + 1) if any(text[start:end] in document for document in documents)),
            default=0,
        )
        for start in range(len(text))
    ]


def brute_share(documents, text, least):
    covered = np.zeros(len(text), dtype=bool)
    for start in range(len(text)):
        for end in range(start + least, len(text) + 1):
            if any(text[start:end] in document for document in documents):
                covered[start:end] = True
    return float(covered.mean()) if len(text) else 0.0


alphabet = st.text("abé\0", max_size=14)


@settings(max_examples=300, deadline=None)
@given(documents=st.lists(st.text("abé\0", min_size=1, max_size=14), max_size=4), text=alphabet, least=st.integers(1, 6))
def test_as_found_by_brute_force(documents, text, least):
    memory, raw, known = of(*documents), text.encode(), [document.encode() for document in documents]
    lengths = memory.longest_from(raw)
    assert lengths.tolist() == brute_lengths(known, raw)
    assert memory.share(raw, least) == pytest.approx(brute_share(known, raw, least))
    longest = memory.longest(raw)
    assert len(longest) == max(lengths, default=0) and longest in raw
    assert not longest or any(longest in document for document in known)


def test_by_hand():
    memory = of("the cat sat on the mat", "a dog ran")
    assert memory.longest_from(b"cat ran").tolist() == [4, 3, 2, 4, 3, 2, 1]
    assert memory.longest(b"xx cat sat xx") == b" cat sat "
    assert memory.share(b"xx cat sat xx", least=9) == 9 / 13
    assert memory.share(b"xx cat sat xx", least=10) == 0
    assert memory.share(b"the mat" + b"a dog", least=5) == 1.0  # two passages, side by side


def test_no_passage_crosses_documents_and_pieces_of_one_are_joined():
    memory, _ = SuffixArray.of([Piece("ab", False), Piece("cd", True), Piece("ef", True)])
    assert b"abcd" in memory and b"cdef" not in memory and b"d\xffe" not in memory
    assert memory.longest(b"abcdef") == b"abcd"


def test_nothing_to_search_or_to_search_for():
    assert of().share(b"abc", 1) == 0 and of().longest(b"abc") == b"" and b"" in of()
    memory = of("abc")
    assert memory.share(b"") == 0 and memory.longest(b"") == b"" and memory.longest_from(b"").tolist() == []


def test_a_text_that_is_too_long_is_refused_with_the_reason():
    read = []

    def pieces():
        for _ in range(1000):
            read.append(1)
            yield Piece("é" * 50, True)

    memory, reason = SuffixArray.of(pieces(), most_bytes=1000)
    assert memory is None and "longer than 1,000 bytes" in reason
    assert len(read) < 12  # it stops there


def test_a_long_repetitive_text():
    memory = of("ab" * 50_000)
    assert memory.longest(b"ab" * 2000 + b"c") == b"ab" * 2000
    assert memory.share(b"ab" * 50 + b"c" * 100) == 0.5
