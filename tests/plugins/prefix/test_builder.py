"""Five tokens and the textbook's sentence by hand, then any text."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pentad import IGNORED, Tokens, pairs
from pentad.testing import raises_code
from pentad_prefix.builder import Prefix
from pentad_prefix.options import PrefixOptions

E = 9
X = IGNORED


def builder(context_length, end_of_text=E, **options):
    return Prefix(PrefixOptions(**options), context_length=context_length, vocab_size=10, end_of_text=end_of_text)


def text(*tokens):
    return Tokens.of(np.array(tokens, dtype=np.uint16), E)


def all_of(made, tokens, seed=None):
    return made.build(tokens, np.arange(made.count(tokens)), seed)


def test_the_sentence_of_the_textbook():
    sentence = [1212, 318, 502, 3047, 257, 1588, 3303, 2746, 11, 284, 2193, 262, 9546, 1588, 3303, 2746]
    tokens = Tokens.of(np.array([50256, *sentence, 50256], dtype=np.uint16), 50256)
    found = list(pairs(all_of(builder(64, end_of_text=50256), tokens), 50256))
    assert found == [(sentence[:length], target) for length, target in enumerate([*sentence, 50256])]
    at = found.index(([1212, 318, 502, 3047], 257))
    assert found[at + 1 : at + 3] == [([1212, 318, 502, 3047, 257], 1588), ([1212, 318, 502, 3047, 257, 1588], 3303)]


def test_five_tokens():
    batch = all_of(builder(5), text(E, 1, 2, 3, E))
    assert batch.inputs.tolist() == [[E, E, E, E, E], [E, 1, E, E, E], [E, 1, 2, E, E], [E, 1, 2, 3, E]]
    assert batch.targets.tolist() == [[1, X, X, X, X], [X, 2, X, X, X], [X, X, 3, X, X], [X, X, X, E, X]]
    assert batch.segments is None


def test_prefixes_end_with_their_document():
    batch = all_of(builder(4), text(E, 1, 2, E, 3, E))
    assert batch.inputs.tolist() == [[E, E, E, E], [E, 1, E, E], [E, 1, 2, E], [E, E, E, E], [E, 3, E, E]]
    assert batch.targets.tolist() == [[1, X, X, X], [X, 2, X, X], [X, X, E, X], [3, X, X, X], [X, E, X, X]]


def test_an_empty_document_is_an_end_after_nothing():
    batch = all_of(builder(3), text(E, E, 1, E))
    assert batch.inputs.tolist() == [[E, E, E], [E, E, E], [E, 1, E]]
    assert batch.targets.tolist() == [[E, X, X], [1, X, X], [X, E, X]]


def test_a_prefix_longer_than_the_row_keeps_its_last_tokens():
    batch = all_of(builder(2), text(E, 1, 2, 3, E))
    assert batch.inputs.tolist() == [[E, E], [E, 1], [1, 2], [2, 3]]
    assert batch.targets.tolist() == [[1, X], [X, 2], [X, 3], [X, E]]


def test_min_prefix_leaves_short_prefixes_out():
    tokens = text(E, 1, 2, 3, E, 4, E, 5, 6, E, E)
    for least, expected in ((1, 3 + 1 + 2), (2, 2 + 0 + 1), (3, 1), (4, 0)):
        made = builder(6, min_prefix=least)
        assert made.count(tokens) == expected
        if expected:
            wanted = [pair for pair in pairs(all_of(builder(6), tokens), E) if len(pair[0]) >= least]
            assert list(pairs(all_of(made, tokens), E)) == wanted


def test_too_short_a_text():
    assert [builder(4, min_prefix=least).count(text(*tokens)) for least in (0, 2) for tokens in ([], [E])] == [0, 0, 0, 0]
    with raises_code("text-too-short"):
        builder(4, min_prefix=5).build(text(E, 1, E), np.array([0]), 1)


documents = st.lists(st.lists(st.integers(0, 8), max_size=9), min_size=1, max_size=6)


@given(documents, st.integers(1, 12), st.integers(0, 11), st.none() | st.integers(0, 2**40), st.integers(0, 3))
def test_a_pass_holds_every_prefix_once(documents, context_length, least, seed, passes):
    tokens = text(E, *[token for document in documents for token in (*document, E)])
    made = builder(context_length, min_prefix=least)
    count = made.count(tokens)
    expected = [
        ([E, *document[:length]][-context_length:], target)
        for document in documents
        for length, target in enumerate([*document, E])
        if length >= least
    ]
    assert count == len(expected)
    if count == 0:
        return
    batch = made.build(tokens, np.arange(count) + passes * count, seed)
    at = (batch.targets != IGNORED).argmax(axis=1)
    found = [
        (row[: last + 1].tolist(), int(targets[last]))
        for row, targets, last in zip(batch.inputs, batch.targets, at, strict=True)
    ]
    assert ((batch.targets != IGNORED).sum(axis=1) == 1).all()
    assert (batch.inputs[np.arange(context_length) > at[:, None]] == E).all()
    assert found == expected if seed is None else sorted(found) == sorted(expected)


@given(documents, st.integers(1, 6), st.integers(0, 2**40), st.data())
def test_any_grouping_gives_the_same_rows(documents, context_length, seed, data):
    tokens = text(E, *[token for document in documents for token in (*document, E)])
    indices = np.array(data.draw(st.lists(st.integers(0, 10**9), min_size=1, max_size=12)))
    whole = builder(context_length).build(tokens, indices, seed)
    for row, index in enumerate(indices):
        one = builder(context_length).build(tokens, np.array([index]), seed)
        assert np.array_equal(one.inputs[0], whole.inputs[row])
        assert np.array_equal(one.targets[0], whole.targets[row])


def test_what_is_not_learned_is_no_target():
    plain = text(E, 1, 2, E)
    tokens = Tokens(ids=plain.ids, starts=plain.starts, learn=np.array([True, False, True, True]))
    assert all_of(builder(3), tokens).targets.tolist() == [[X, X, X], [X, 2, X], [X, X, E]]
