from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import draw_below, random_words, shuffled
from pentad.testing import raises_code

SEEDS = st.integers(0, 2**64 - 1)


@given(count=st.integers(1, 3000), seed=SEEDS, passes=st.integers(0, 2**20))
def test_every_pass_is_a_permutation(count, seed, passes):
    found_passes, places = shuffled(np.arange(count) + passes * count, count, seed)
    assert (found_passes == passes).all()
    assert np.array_equal(np.sort(places), np.arange(count))


@given(count=st.integers(1, 10**12), seed=SEEDS, data=st.data())
def test_an_index_means_the_same_alone_and_in_any_company(count, seed, data):
    indices = np.array(data.draw(st.lists(st.integers(0, 10**14), min_size=1, max_size=20)))
    together = shuffled(indices, count, seed)[1]
    alone = [shuffled(np.array([index]), count, seed)[1][0] for index in indices]
    assert together.tolist() == alone
    assert ((together >= 0) & (together < count)).all()


def test_without_a_seed_the_order_is_the_text():
    passes, places = shuffled(np.arange(7), 3, None)
    assert passes.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert places.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_passes_and_seeds_have_different_orders():
    orders = {tuple(shuffled(np.arange(50) + start, 50, seed)[1]) for seed in range(20) for start in (0, 50, 100)}
    assert len(orders) == 60


def test_no_examples_is_refused():
    with raises_code("text-too-short"):
        shuffled(np.arange(2), 0, 1)


@pytest.mark.parametrize("count", [5, 8, 40])
def test_every_place_is_equally_likely_at_every_index(count):
    seeds = 400 * count
    indices = np.arange(count)
    tally = np.zeros((count, count))
    # Passes of one seed are as independent as seeds are, and cost one call.
    _, places = shuffled(np.arange(seeds * count), count, 11)
    np.add.at(tally, (np.tile(indices, seeds), places), 1)
    # 400 expected in each cell; the largest of 1,600 deviations is near 4 standard deviations of 20.
    assert abs(tally - 400).max() < 120


def test_neighbours_are_not_correlated():
    _, places = shuffled(np.arange(100_000), 100_000, 5)
    correlation = np.corrcoef(places[:-1], places[1:])[0, 1]
    assert abs(correlation) < 0.02
    assert (np.diff(places) == 1).sum() < 20


def test_draws_are_even_and_depend_on_each_word():
    draws = draw_below(10, 3, np.arange(1000)[:, None], np.arange(100))
    assert draws.shape == (1000, 100)
    assert abs(np.bincount(draws.ravel(), minlength=10) - 10_000).max() < 500
    assert not np.array_equal(draws, draw_below(10, 4, np.arange(1000)[:, None], np.arange(100)))


def test_random_words_tell_the_order_of_their_words():
    assert random_words(1, 2, 3) != random_words(1, 3, 2)
    assert random_words(-1, 2).dtype == np.uint64
