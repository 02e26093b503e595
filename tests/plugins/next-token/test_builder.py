"""Five tokens by hand, then any text."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pentad import IGNORED, NoOptions, Tokens
from pentad.testing import raises_code
from pentad_next_token.builder import NextToken

E = 9


def builder(context_length):
    return NextToken(NoOptions(), context_length=context_length, vocab_size=10, end_of_text=E)


def text(*tokens):
    return Tokens.of(np.array(tokens, dtype=np.uint16), E)


def test_five_tokens_in_one_row():
    batch = builder(5).build(text(E, 1, 2, 3, 4, E), np.array([0]), None)
    assert batch.inputs.tolist() == [[E, 1, 2, 3, 4]]
    assert batch.targets.tolist() == [[1, 2, 3, 4, E]]  # the end is learned, from the last token
    assert batch.segments is None


def test_five_tokens_of_two_documents():
    batch = builder(5).build(text(E, 1, 2, E, 3, E), np.array([0]), None)
    assert batch.inputs.tolist() == [[E, 1, 2, E, 3]]
    assert batch.targets.tolist() == [[1, 2, E, 3, E]]
    assert batch.segments.tolist() == [[0, 0, 0, 1, 1]]  # 3 is learned from the end-of-text alone


def test_five_tokens_with_an_empty_document():
    batch = builder(5).build(text(E, 1, E, E, 2, E), np.array([0]), None)
    assert batch.inputs.tolist() == [[E, 1, E, E, 2]]
    assert batch.targets.tolist() == [[1, E, E, 2, E]]
    assert batch.segments.tolist() == [[0, 0, 1, 2, 2]]


def test_windows_stand_side_by_side_and_the_last_ends_with_the_text():
    tokens = text(E, 1, 2, 3, 4, E)
    assert builder(2).count(tokens) == 3
    batch = builder(2).build(tokens, np.arange(4), None)
    assert batch.inputs.tolist() == [[E, 1], [2, 3], [3, 4], [E, 1]]  # index 3 is the second pass
    assert batch.targets.tolist() == [[1, 2], [3, 4], [4, E], [1, 2]]


def test_a_window_around_the_end_goes_on_at_the_beginning():
    tokens = text(E, 1, 2, 3, E)
    batch = builder(4).build(tokens, np.arange(40), 1)  # one window a pass, at any of four offsets
    around = {tuple(row) for row in np.concatenate([batch.inputs, batch.targets, batch.segments], axis=1).tolist()}
    assert around == {
        (E, 1, 2, 3, 1, 2, 3, E, 0, 0, 0, 0),
        (1, 2, 3, E, 2, 3, E, 1, 0, 0, 0, 1),
        (2, 3, E, 1, 3, E, 1, 2, 0, 0, 1, 1),
        (3, E, 1, 2, E, 1, 2, 3, 0, 1, 1, 1),
    }


def test_too_short_a_text():
    assert builder(5).count(text(E, 1, 2, 3, E)) == 0
    assert builder(4).count(text(E, 1, 2, 3, E)) == 1
    with raises_code("text-too-short"):
        builder(5).build(text(E, 1, 2, 3, E), np.array([0]), 1)


documents = st.lists(st.lists(st.integers(0, 8), max_size=9), min_size=1, max_size=6)


def stream(documents):
    return text(E, *[token for document in documents for token in (*document, E)])


@given(documents, st.integers(1, 12), st.integers(0, 2**40), st.integers(0, 3))
def test_a_pass_learns_every_token_at_least_once_and_hardly_more(documents, context_length, seed, passes):
    tokens = stream(documents)
    made = builder(context_length)
    count = made.count(tokens)
    if count == 0:
        assert len(tokens) - 1 < context_length
        return
    places = Tokens.of(np.arange(len(tokens), dtype=np.uint16), E)  # a text of places shows where each row is read
    for seeds in (seed, None):
        batch = made.build(places, np.arange(count) + passes * count, seeds)
        assert (batch.targets != IGNORED).all()
        assert np.array_equal(batch.targets, batch.inputs + 1)
        learned = np.bincount(batch.targets.ravel(), minlength=len(tokens))
        assert learned[0] == 0 and (learned[1:] >= 1).all() and (learned <= 2).all()
        assert learned.sum() - (len(tokens) - 1) < context_length
        assert len({row.tobytes() for row in batch.inputs}) == count


@given(documents, st.integers(1, 6), st.integers(0, 2**40), st.data())
def test_any_grouping_gives_the_same_rows(documents, context_length, seed, data):
    tokens = stream(documents)
    made = builder(context_length)
    if made.count(tokens) == 0:
        return
    indices = np.array(data.draw(st.lists(st.integers(0, 10**9), min_size=1, max_size=12)))
    whole = made.build(tokens, indices, seed)
    for row, index in enumerate(indices):
        one = builder(context_length).build(tokens, np.array([index]), seed)
        assert np.array_equal(one.inputs[0], whole.inputs[row])
        assert np.array_equal(one.targets[0], whole.targets[row])
        segments = np.zeros(context_length) if whole.segments is None else whole.segments[row]
        assert np.array_equal(np.zeros(context_length) if one.segments is None else one.segments[0], segments)


def test_window_borders_move_between_passes():
    tokens = Tokens.of(np.arange(1001, dtype=np.uint16), E)
    firsts = [set(builder(10).build(tokens, np.arange(100) + 100 * passes, 1).inputs[:, 0] % 10) for passes in range(20)]
    assert all(len(offsets) == 1 for offsets in firsts)
    assert len({offsets.pop() for offsets in firsts}) > 5


def test_what_is_not_learned_is_no_target():
    plain = text(E, 1, 2, 3, E)
    tokens = Tokens(ids=plain.ids, starts=plain.starts, learn=np.array([True, False, True, True, False]))
    assert builder(4).build(tokens, np.array([0]), None).targets.tolist() == [[IGNORED, 2, 3, IGNORED]]
