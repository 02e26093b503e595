"""Bits per byte by document: those of the session's own score, each byte once, ranked from both ends."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pentad.tools import RunDirectory, bits_per_byte
from pentad_studio.sources.models import open_model
from pentad_studio.text import scoring
from pentad_studio.text.scoring import Scored, chosen, documents_of, rank, score
from pentad_studio.trace.index import split_of


@pytest.fixture(scope="module")
def run(studio):
    return open_model(studio, "tiny")


@pytest.fixture(scope="module")
def pieces(studio, catalogue):
    split = split_of(RunDirectory.open(studio.runs / "tiny"), catalogue)
    ((number, found),) = documents_of(split, [0])
    assert number == 0 and sum(len(piece.text.encode()) for piece in found) == split.held_out.n_bytes
    return found


def test_a_document_is_scored_as_the_session_scores_it(run, pieces, monkeypatch):
    monkeypatch.setattr(scoring, "PASSAGE", 16)  # windows of half a context are then those of the session
    text = "".join(piece.text for piece in pieces)
    found = [one for one, _ in score(run, 0, pieces)]
    expected = run.session.score(text)
    assert sum(one.n_bytes for one in found) == len(text.encode())
    assert sum(one.nats for one in found) == pytest.approx(expected.nats, rel=1e-3)
    own = [-math.log2(probability) for _, probability in found[0].tokens]
    assert sum(own) / found[0].n_bytes == pytest.approx(found[0].bits_per_byte)


def test_of_a_conversation_the_answers_are_scored(studio, talker, catalogue):
    run = open_model(studio, talker)
    split = split_of(RunDirectory.open(run.path), catalogue)
    ((_, pieces),) = documents_of(split, [2])
    ((found, done),) = score(run, 2, pieces)
    assert (found.document, found.n_bytes, done) == (3, len("beer"), 1)
    assert [probability is not None for _, probability in found.tokens].count(True) == len("beer")


def test_documents_are_taken_evenly_and_within_bounds(monkeypatch):
    assert chosen(np.array([5, 5, 5])) == [0, 1, 2]
    assert chosen(np.array([], dtype=np.int64)) == []
    many = chosen(np.full(10_000, 1000))
    assert 100 < len(many) <= 300 and (many[0], many[-1]) == (0, 9999)
    assert chosen(np.array([10**9, 5])) == [0, 1]


def of(document, bits, n_bytes=200, passage=1):
    return Scored(document, passage, 2, n_bytes, bits * n_bytes * math.log(2), 0, [])


def test_the_ends_are_those_of_the_order_and_share_nothing():
    found = rank([of(1, 2.0), of(1, 3.0, passage=2), of(2, 1.0)])
    assert not found.by_document
    assert [one.bits_per_byte for one in found.worst] == pytest.approx([3.0, 2.0])
    assert [one.bits_per_byte for one in found.best] == pytest.approx([1.0])
    assert found.bits_per_byte == pytest.approx(2.0)


def test_many_documents_are_ranked_whole_and_short_ones_left_out():
    passages = [of(number, number / 10, passage=place) for number in range(1, 31) for place in (1, 2)]
    found = rank([*passages, of(31, 99.0, n_bytes=3)])
    assert found.by_document and (found.n_documents, found.ranked) == (31, 30)
    assert [one.document for one in found.worst] == list(range(30, 22, -1))
    assert [one.document for one in found.best] == list(range(1, 9))
    assert found.worst[0].n_bytes == 400
    assert [one.document for one in found.all] == list(range(1, 32))
    assert sum(one.nats for one in found.all) == pytest.approx(found.nats)


def test_equal_ones_are_shown_once():
    found = rank([of(1, 2.0), of(2, 2.0), of(3, 1.0)])
    assert [one.document for one in (*found.worst, *found.best)] == [1, 3]
    assert found.ranked == 2


def test_lost_bytes_cost_eight_bits():
    one = Scored(1, 1, 1, 10, 0.0, 5, [])
    assert one.bits_per_byte == bits_per_byte(0.0, 10, 5) == 4
