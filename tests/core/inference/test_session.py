"""A session: what it has read, however it was told to, gives the logits of a fresh reading; fp32 on one thread."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pentad import Limits, Output, SpecialToken, Vocabulary
from pentad.inference.session import ModelSession, windows

END = 256


class Sums:
    """The sums after each token: a state that can select and truncate."""

    def __init__(self, sums):
        self.sums = sums

    def select(self, rows):
        return Sums(self.sums[rows])

    def truncate(self, length):
        return Sums(self.sums[:, :length])


@pytest.fixture(params=["rebuilt", "selectable"])
def model(request, fakes):
    class Selectable(fakes.Summing):
        def forward(self, inputs, state=None, segments=None):
            if state is None:
                return super().forward(inputs, state, segments)
            before = state.sums[:, -1:] if state.sums.shape[1] else 0
            sums = self.embedding(inputs).cumsum(dim=1) + before
            return Output(torch.tanh(sums), Sums(torch.cat([state.sums, sums], dim=1)))

        def initial_state(self, batch_size, max_length):
            return Sums(torch.zeros(batch_size, 0, self.embedding.embedding_dim))

    torch.manual_seed(3)
    made = (Selectable if request.param == "selectable" else fakes.Summing)(257, 8)
    made.selectable = request.param == "selectable"
    return made


@pytest.fixture
def session(fakes, cpu, model):
    return open_session(fakes, cpu, model)


def open_session(fakes, cpu, model, special=()):
    return ModelSession(model, cpu, fakes.ByteLike(), Vocabulary.of(fakes.ByteLike(), special))


def fresh(session, tokens):
    return ModelSession(session.model, session.machine, session.tokenizer, session.vocabulary).prefill(tokens)


# Reading


def test_extended_selected_and_truncated_sequences_equal_fresh_ones(session):
    tokens = torch.tensor([[END, 3, 5, 7], [END, 2, 2, 9]])
    assert torch.equal(session.prefill(tokens), fresh(session, tokens))
    session.select(torch.tensor([1, 0, 1]))
    logits = session.extend(torch.tensor([4, 6, 8]))
    expected = torch.tensor([[END, 2, 2, 9, 4], [END, 3, 5, 7, 6], [END, 2, 2, 9, 8]])
    assert torch.equal(session.tokens, expected)
    torch.testing.assert_close(logits, fresh(session, expected))
    session.truncate(3)
    logits = session.extend(torch.tensor([1, 1, 1]))
    expected = torch.cat([expected[:, :3], torch.ones(3, 1, dtype=torch.int64)], dim=1)
    assert torch.equal(session.tokens, expected)
    torch.testing.assert_close(logits, fresh(session, expected))


def test_a_session_grows_beyond_the_room_it_was_made_with(session):
    session.prefill(torch.tensor([[END]]))
    for token in range(50):
        logits = session.extend(torch.tensor([token]))
    torch.testing.assert_close(logits, fresh(session, torch.tensor([[END, *range(50)]])))


def test_reading_at_once_equals_one_after_the_other(fakes, cpu, model):
    for context_length, rooms in ((None, (None, None, None)), (6, (3, 0, 1))):
        model.context_length = context_length
        once, turns = open_session(fakes, cpu, model), open_session(fakes, cpu, model)
        found, expected = [], []
        for number, tokens in enumerate((torch.tensor([[END, 1, 2], [END, 3, 4]]), *torch.randint(99, (2, 2, 3)))):
            if not number:
                assert torch.equal(once.prefill(tokens), turns.prefill(tokens))
            else:
                found.append(once.read(tokens))
                expected.append(torch.stack([turns.extend(column) for column in tokens.T], dim=1))
            assert once.room == rooms[number]
        torch.testing.assert_close(torch.cat(found, dim=1), torch.cat(expected, dim=1))
        assert torch.equal(once.tokens, turns.tokens)


@torch.inference_mode()
def test_features_are_those_of_what_was_read_last(session):
    tokens = torch.tensor([[END, 1, 2, 3, 4]])
    expected = session.model(tokens).features
    logits = session.prefill(tokens[:, :2])
    torch.testing.assert_close(session.features, expected[:, :2])
    torch.testing.assert_close(session.model.logits(session.features[:, -1]), logits)
    session.read(tokens[:, 2:4])
    torch.testing.assert_close(session.features[:, -2:], expected[:, 2:4])
    session.extend(tokens[:, 4])
    torch.testing.assert_close(session.features[:, -1:], expected[:, 4:])


def test_a_fork_reads_beside(session):
    logits = session.prefill(torch.tensor([[END, 1, 2]]))
    beside = session.fork()
    assert torch.equal(beside.prefill(torch.tensor([[END, 1, 2]])), logits)
    beside.extend(torch.tensor([7]))
    assert session.tokens.tolist() == [[END, 1, 2]] and beside.tokens.tolist() == [[END, 1, 2, 7]]


def test_prefill_forgets_what_was_read(session):
    session.prefill(torch.tensor([[END, 1, 2]]))
    tokens = torch.tensor([[END, 9]])
    assert torch.equal(session.prefill(tokens), fresh(session, tokens))
    assert torch.equal(session.tokens, tokens)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_full_context_may_be_selected_and_truncated(fakes, cpu, model, length):
    model.context_length = 4
    session = open_session(fakes, cpu, model)
    session.prefill(torch.tensor([[END, 1, 2, 3], [END, 4, 5, 6]]))
    for token in (7, 8):
        session.extend(torch.tensor([token, token]))
    session.select(torch.tensor([1]))
    session.truncate(length)
    assert session.extend(torch.tensor([9])).isfinite().all()
    assert session.tokens.tolist() == [[*[END, 4, 5, 6, 7, 8][:length], 9]]


# Scores


def product_of_probabilities(session, ids, first):
    """Return the summed negative logarithms, from one forward per token."""
    total = 0.0
    for place in range(first, len(ids)):
        total -= float(fresh(session, torch.tensor([ids[:place]])).log_softmax(dim=-1)[0, ids[place]])
    return total


def test_a_score_is_the_product_of_probabilities(session):
    found = session.score("né", "ab")
    expected = product_of_probabilities(session, [END, *b"ab", *"né".encode()], 3)
    assert found.nats == pytest.approx(expected, rel=1e-5)
    assert (found.n_tokens, found.n_bytes) == (3, 3)
    assert session.score("", "ab").nats == 0.0


def test_a_score_leaves_the_sequences_alone(session):
    tokens = torch.tensor([[END, 1, 2]])
    session.prefill(tokens)
    session.score("abc")
    torch.testing.assert_close(session.extend(torch.tensor([4])), fresh(session, torch.tensor([[END, 1, 2, 4]])))


def test_longer_texts_than_the_context_are_scored_whole(fakes, cpu, model):
    model.context_length = 4
    session = open_session(fakes, cpu, model)
    ids = torch.tensor([END, *b"abcdefghi"])
    found = session.score_tokens(ids)
    # The first four see all before them; then the context moves on by half of its length.
    begins = [0, 0, 0, 0, 2, 2, 4, 4, 6]
    for place, begin in enumerate(begins, 1):
        expected = fresh(session, ids[None, begin:place]).log_softmax(dim=-1)[0, ids[place]]
        assert float(found[place - 1]) == pytest.approx(float(expected), rel=1e-5)


@given(first=st.integers(1, 60), more=st.integers(0, 60), context=st.none() | st.integers(1, 40))
def test_every_token_is_scored_once_with_half_a_context_before_it(first, more, context):
    scored = []
    for begin, start, end in windows(first, first + more, context):
        assert 0 <= begin < start < end and (context is None or end - 1 - begin <= context)
        assert begin == 0 or start - begin >= min(start, context // 2 + 1)
        scored += range(start, end)
    assert scored == list(range(first, first + more))


# Generating


def test_special_tokens_are_drawn_and_stop_as_they_say(fakes, cpu):
    model = fakes.Uniform(260, 4)
    special = (
        SpecialToken(name="mask"),
        SpecialToken(name="turn", drawable=True),
        SpecialToken(name="done", drawable=True, stops=True),
    )
    session = open_session(fakes, cpu, model, special)
    events = list(session.generate("", None, Limits(max_tokens=60, samples=20, seed=2)))
    drawn = {event.token for event in events}
    assert 257 not in drawn and {258, 259} <= drawn
    assert all((event.token in (END, 259)) == (event.ended == "stop") for event in events)
    assert all(event.text == "" for event in events if event.token == 258)
