"""The fastest of several ways, by a clock that stands still but for what the ways take."""

from __future__ import annotations

import pytest

from pentad.speed.racing import QUICK, ROUNDS, Timed, race


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def way(clock):
    """Makes a way that takes so many seconds, the first time `first` more."""

    def make(seconds, first=0.0):
        class Way(Timed):
            calls = 0

            def do(self):
                clock.now += seconds + (first if not self.calls else 0.0)
                self.calls += 1

        return Way(clock)

    return make


def test_a_way_that_fails_is_out_and_the_usual_one_may_not(way):
    class Fails(Timed):
        def do(self):
            raise RuntimeError("out of memory")

    usual, quick = way(1.0), way(0.5)
    assert [entrant for entrant, _ in race([usual, Fails(usual.clock), quick], 100.0)] == [quick, usual]
    with pytest.raises(RuntimeError):
        next(race([Fails(usual.clock), quick], 100.0))


def test_ways_are_timed_in_turns_and_the_clearly_faster_ones_come_first(clock, way):
    usual, quick, even, slow = ways = way(1.0), way(0.5), way(0.98), way(3.0)
    found = list(race(ways, 100.0))
    assert found == [(quick, pytest.approx(2.0)), (usual, 1.0)]
    assert (usual.calls, quick.calls) == (1 + ROUNDS, 1 + ROUNDS)
    assert (even.calls, slow.calls) == (2, 2)  # far behind the fastest after the first round that counts


def test_what_the_first_call_takes_says_nothing(clock, way):
    usual, quick = way(1.0), way(0.5, first=50.0)
    assert [each for each, _ in race([usual, quick], 100.0)] == [quick, usual]


def test_no_round_is_begun_when_the_time_is_over_unless_all_of_it_was_warming_up(clock, way):
    usual, quick = way(1.0), way(0.5)
    assert [each for each, _ in race([usual, quick], 0.1)] == [quick, usual]  # a large model: one call each
    assert (usual.calls, quick.calls) == (1, 1)
    brief, ready = way(QUICK / 5, first=QUICK / 5), way(QUICK / 8, first=QUICK / 3)
    assert next(race([brief, ready], clock.now))[0] is ready
    assert brief.calls == ready.calls >= 2


def test_without_a_clock_that_of_the_process_counts_as_it_is_when_a_way_is_made(monkeypatch):
    monkeypatch.setattr("time.perf_counter", lambda: 7.0)
    assert Timed().clock() == 7.0
