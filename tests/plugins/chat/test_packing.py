"""Rows by hand: ids below 9 are words, 9 ends a text, 10 to 12 open turns (12 the assistant's), 13 ends one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pentad import IGNORED, Tokens
from pentad.testing import raises_code
from pentad_chat.builder import Chat
from pentad_chat.options import ChatOptions

E, S, U, A, T = 9, 10, 11, 12, 13


def builder(context_length):
    return Chat(ChatOptions(), context_length=context_length, vocab_size=10, end_of_text=E)


def talk(*exchanges):
    """Return ids and what is learned of (question, answer) pairs."""
    ids, learn = [], []
    for question, answer in exchanges:
        ids += [U, *question, T, A, *answer, T]
        learn += [False] * (len(question) + 3) + [True] * (len(answer) + 1)
    return ids, learn


def tokens_of(*talks):
    ids, learn = [E], [True]
    for own, learned in talks:
        ids += [*own, E]
        learn += [*learned, False]
    return Tokens(ids=np.array(ids, np.uint16), starts=np.flatnonzero(np.array(ids) == E), learn=np.array(learn))


def rows(context_length, *talks, seed=None):
    tokens = tokens_of(*talks)
    made = builder(context_length)
    return made.build(tokens, np.arange(made.count(tokens)), seed)


def test_five_tokens_by_hand():
    batch = rows(7, talk(([1], [2])))
    assert batch.inputs.tolist() == [[E, U, 1, T, A, 2, T]]
    assert batch.targets.tolist() == [[IGNORED] * 4 + [2, T, IGNORED]]  # the first token of the answer and the end of its turn
    assert batch.segments is None


def test_two_talks_share_a_row_and_are_told_apart():
    batch = rows(16, talk(([1], [2])), talk(([3], [4])))
    assert batch.inputs.tolist() == [[E, U, 1, T, A, 2, T, E, U, 3, T, A, 4, T, E, E]]
    assert batch.segments.tolist() == [[0] * 7 + [1] * 7 + [2] * 2]
    assert batch.targets[0][batch.targets[0] != IGNORED].tolist() == [2, T, 4, T]


def test_a_later_short_talk_fills_an_earlier_row():
    batch = rows(14, talk(([1], [2])), talk(([1, 1, 1, 1], [2, 2])), talk(([3], [4])))
    assert batch.inputs[0].tolist() == [E, U, 1, T, A, 2, T, E, U, 3, T, A, 4, T]
    assert len(batch.inputs) == 2


def test_a_long_talk_is_cut_before_a_question_and_begins_anew_from_an_end_of_text():
    batch = rows(8, talk(([1], [2]), ([3], [4])))
    assert batch.inputs.tolist() == [[E, U, 1, T, A, 2, T, E], [E, U, 3, T, A, 4, T, E]]
    assert batch.targets.tolist()[1] == [IGNORED] * 4 + [4, T, IGNORED, IGNORED]


def test_an_exchange_longer_than_a_row_is_cut_in_its_middle_and_nothing_of_the_answer_is_lost():
    answer = [1, 2, 3, 4, 5, 6, 7, 8]
    batch = rows(6, talk(([1], answer)))
    assert batch.targets[batch.targets != IGNORED].tolist() == [*answer, T]
    assert batch.inputs.tolist()[1] == [2, 3, 4, 5, 6, 7]  # 2 was the last target of the first row


def test_nothing_learned_is_refused():
    with raises_code("nothing-learned"):
        rows(8, ([U, 1, T], [False] * 3), ([U, 2, T], [False] * 3))


def test_a_talk_without_an_answer_takes_no_room():
    assert len(rows(7, talk(([1], [2])), ([U, 2, T], [False] * 3)).inputs) == 1


words = st.lists(st.integers(0, 8), max_size=6)
talks = st.lists(
    st.lists(st.tuples(words, words), min_size=1, max_size=4).map(lambda pairs: talk(*pairs)), min_size=1, max_size=8
)


@given(talks, st.integers(2, 24), st.integers(0, 2**40))
def test_each_learned_token_is_a_target_once_and_sees_its_own_talk_alone(talks, context_length, seed):
    tokens = tokens_of(*talks)
    made = builder(context_length)
    places = Tokens(ids=tokens.ids, starts=tokens.starts, learn=tokens.learn)
    batch = made.build(places, np.arange(made.count(places)), seed)
    learned = batch.targets != IGNORED
    expected = tokens.ids[1:][tokens.learn[1:]]
    assert sorted(batch.targets[learned].tolist()) == sorted(expected.tolist())
    segments = np.zeros_like(batch.inputs) if batch.segments is None else batch.segments
    opens = (batch.inputs[:, 1:] == E) & learned[:, 1:]
    assert (np.diff(segments, axis=1)[opens] > 0).all()  # what follows an end of text is another segment
