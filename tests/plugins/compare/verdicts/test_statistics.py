"""Intervals against scipy and textbooks, and against simulated arms whose true difference is known."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pentad_compare.verdicts.statistics import MOST_SEEDS, differences, interval, level_of_each, power, seeds_needed

SLEEP = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0], [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
"""Hours of sleep won with two drugs, ten patients (Student 1908)."""


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def by_seed(values):
    return dict(enumerate(values))


def compared(arm, baseline, **more):
    (found,) = differences({"rnn": by_seed(baseline), "gpt": by_seed(arm)}, "rnn", **more)
    return found


# Golden values


def test_students_sleep():
    found = compared(SLEEP[1], SLEEP[0])
    assert (found.n_seeds, found.verdict) == (10, "worse")
    assert found.mean == pytest.approx(1.58)
    assert (found.low, found.high) == pytest.approx((0.7001142, 2.4598858))  # as R's t.test gives it
    assert found.words == "gpt is measurably worse than rnn by 1.58 bits per byte [0.70, 2.46], 10 seeds"


def test_several_arms_equal_scipy_at_the_adjusted_level():
    rng = np.random.default_rng(0)
    scores = {name: by_seed(rng.normal(2, 0.1, 5)) for name in "abcd"}
    found = differences(scores, "b", confidence=0.9)
    assert [each.arm for each in found] == ["a", "c", "d"] and {each.baseline for each in found} == {"b"}
    for each in found:
        expected = stats.ttest_rel(list(scores[each.arm].values()), list(scores["b"].values())).confidence_interval(1 - 0.1 / 3)
        assert (each.low, each.high) == pytest.approx((expected.low, expected.high), abs=1e-8)


def test_arms_without_an_interval_do_not_widen_the_others():
    scores = {"a": by_seed([1, 2, 4]), "b": by_seed([2, 4, 3]), "one": {0: 2.0}, "failed": {}}
    found = {each.arm: each for each in differences(scores, "a")}
    alone = differences({"a": scores["a"], "b": scores["b"]}, "a")
    assert found["b"] == alone[0]
    assert (found["failed"].n_seeds, found["failed"].mean, found["failed"].low) == (0, None, None)


@pytest.mark.parametrize(("effect", "n"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_seeds_needed_are_those_of_the_tables(effect, n):
    assert seeds_needed(effect, 1.0, 0.95) == n  # one-sample t test, two-sided 0.05, power 0.8: G*Power's


def test_power_equals_that_of_r():
    assert float(power(20, 1.0, 2.0, 0.95)) == pytest.approx(0.5644829, abs=1e-6)  # power.t.test(20, 1, 2, type="paired")


# Words


def test_better_and_worse_are_the_same_said_twice():
    scores = {"gpt": by_seed([2.002, 2.01, 1.968]), "rnn": by_seed([2.20, 2.22, 2.19])}
    (better,) = differences(scores, "rnn")
    (worse,) = differences(scores, "gpt")
    assert better.words == "gpt is measurably better than rnn by 0.21 bits per byte [0.18, 0.24], 3 seeds"
    assert worse.words == "rnn is measurably worse than gpt by 0.21 bits per byte [0.18, 0.24], 3 seeds"
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert (better.low, better.high) == pytest.approx((-worse.high, -worse.low))


def test_small_differences_have_digits_enough():
    found = compared([1.0003, 1.00031, 1.00028], [1, 1, 1])
    assert found.words == "gpt is measurably worse than rnn by 0.00030 bits per byte [0.00026, 0.00033], 3 seeds"


def test_no_difference_says_how_many_seeds_are_missing():
    found = compared([2.01, 1.99, 2.02], [2.0, 2.0, 2.0])
    needed = seeds_needed(0.01, np.std([0.01, -0.01, 0.02], ddof=1), 0.95)
    assert found.verdict == "none"
    assert found.words == f"no difference shown between gpt and rnn; about {needed - 3} more seeds would be needed to show 0.01"
    one = compared([2.01, 1.99, 2.02], [2.0, 2.0, 2.0], detect=_shown_with(4))
    assert "about 1 more seed would be needed" in one.words


def _shown_with(n):
    deviation = np.std([0.01, -0.01, 0.02], ddof=1)
    return next(size for size in np.arange(0.01, 1, 0.001) if seeds_needed(size, deviation, 0.95) == n)


def test_no_difference_where_it_would_have_been_seen_or_never_will():
    near = compared([2.001, 1.999, 2.002], [2.0, 2.0, 2.0])
    assert near.words == "no difference shown between gpt and rnn; a difference of 0.01 would probably have been shown"
    far = compared([3.0, 1.0, 2.5], [2.0, 2.0, 2.0])
    assert far.words == "no difference shown between gpt and rnn; more than 1,000 seeds would be needed to show 0.01"


def test_one_seed_is_no_proof():
    found = compared([1.99], [2.2])
    assert (found.verdict, found.n_seeds, found.low, found.high) == ("unknown", 1, None, None)
    assert "0.21 bits per byte better than rnn" in found.words and "--seeds 3" in found.words
    assert "gpt and rnn are equal with one seed" in compared([2.2], [2.2]).words


def test_failed_seeds_are_left_out_and_said():
    scores = {"rnn": {0: 2.2, 1: 2.21, 2: 2.19, 3: math.inf}, "gpt": {1: 2.0, 2: 1.99, 3: 2.0}}
    (found,) = differences(scores, "rnn")
    assert found.n_seeds == 2 and found.words.endswith("2 seeds that both finished")
    (one,) = differences({"rnn": {0: 2.2, 1: 2.21}, "gpt": {1: 2.0}}, "rnn")
    assert "0.21 bits per byte better than rnn with the one seed that both finished" in one.words
    (none,) = differences({"rnn": {0: 2.2}, "gpt": {1: 2.0}}, "rnn")
    assert (none.verdict, none.mean, none.words) == ("unknown", None, "gpt and rnn have no seed that both finished")


def test_the_same_recipe_twice():
    found = compared([2.1, 2.2, 2.3], [2.1, 2.2, 2.3])
    assert (found.mean, found.low, found.high, found.verdict) == (0.0, 0.0, 0.0, "none")
    assert found.words == "no difference between gpt and rnn: identical on all 3 seeds"


def test_arms_that_ignore_the_seed():
    found = compared([1.9, 1.9, 1.9], [2.1, 2.1, 2.1])
    assert (found.mean, found.low, found.high, found.verdict) == (-0.2, -0.2, -0.2, "better")
    assert "gpt is better than rnn by 0.20 bits per byte on each of 3 seeds" in found.words
    noise = compared([1.9, 0.9], [2.1, 1.1])  # equal but for rounding
    assert noise.low == noise.high == -0.2


# Simulations: the truth is known


def simulated(experiments, arms, n_seeds, effect=0.0, seed=0):
    """Return paired differences (S, arms, N): every arm is compared with the same baseline, so they depend on each other."""
    rng = np.random.default_rng([seed, arms, n_seeds])
    scores = rng.normal(2.0, 0.02, (experiments, arms + 1, n_seeds)) + rng.normal(0, 0.05, (experiments, 1, n_seeds))
    return scores[:, 1:] - scores[:, :1] + effect


def binomial_error(share, count):
    return 4 * math.sqrt(share * (1 - share) / count)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("n_seeds", [2, 3, 10])
@pytest.mark.parametrize("arms", [1, 4])
def test_intervals_cover_the_truth_as_often_as_they_say(n_seeds, arms, confidence):
    count, effect = 20_000, -0.013
    low, high = interval(simulated(count, arms, n_seeds, effect), level_of_each(confidence, arms))
    covered = ((low <= effect) & (effect <= high)).all(axis=1).mean()
    assert covered >= confidence - binomial_error(confidence, count)
    # One interval is exact; Bonferroni errs to the safe side, by little.
    assert covered <= confidence + binomial_error(confidence, count) + (0 if arms == 1 else 0.1)


@pytest.mark.parametrize("arms", [1, 4])
def test_equal_arms_are_told_apart_as_rarely_as_promised(arms):
    low, high = interval(simulated(20_000, arms, 3), level_of_each(0.95, arms))
    assert ((high < 0) | (low > 0)).any(axis=1).mean() <= 0.05 + binomial_error(0.05, 20_000)


def test_a_difference_is_found_more_often_with_more_seeds():
    shares = []
    for n_seeds in (2, 3, 5, 10):
        _, high = interval(simulated(4000, 1, n_seeds, effect=-0.04), 0.95)
        shares.append((high < 0).mean())
        assert shares[-1] == pytest.approx(float(power(n_seeds, 0.04, 0.02 * math.sqrt(2), 0.95)), abs=0.03)
    assert shares == sorted(shares) and shares[0] < 0.5 < 0.9 < shares[-1]


@pytest.mark.parametrize("level", [0.95, 0.99])
@pytest.mark.parametrize("effect", [0.02, 0.04, 0.2])
def test_the_seeds_asked_for_show_the_difference_four_times_in_five(effect, level):
    needed = seeds_needed(effect, 0.02 * math.sqrt(2), level)
    _, high = interval(simulated(5000, 1, needed, -effect), level)
    assert (high < 0).mean() >= 0.8 - 0.03
    if needed > 2:
        _, high = interval(simulated(5000, 1, needed - 1, -effect), level)
        assert (high < 0).mean() < 0.8 + 0.03


# Properties


scores_of = st.lists(st.floats(0, 9) | st.sampled_from([2.0, 2.1]), min_size=0, max_size=6)


@settings(max_examples=60, deadline=None)
@given(arms=st.lists(scores_of, min_size=2, max_size=5), detect=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_nothing_is_ever_nan_and_verdict_and_interval_agree(arms, detect, confidence):
    scores = {f"arm {number}": by_seed(values) for number, values in enumerate(arms)}
    for found in differences(scores, "arm 0", confidence=confidence, detect=detect):
        numbers = [value for value in dataclasses.astuple(found) if isinstance(value, float)]
        assert all(map(math.isfinite, numbers)) and "nan" not in found.words and "inf" not in found.words
        if found.low is None:
            assert found.n_seeds < 2 and found.verdict == "unknown"
            continue
        assert found.low <= found.mean <= found.high
        expected = "better" if found.high < 0 else "worse" if found.low > 0 else "none"
        assert found.verdict == expected and (expected == "none" or f"{expected} than arm 0" in found.words)


@settings(max_examples=60, deadline=None)
@given(pairs=st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=6), data=st.data())
def test_swapped_arms_mirror_the_interval_and_the_order_of_seeds_means_nothing(pairs, data):
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    found = compared(ours, theirs)
    (mirrored,) = differences({"gpt": by_seed(ours), "rnn": by_seed(theirs)}, "gpt")
    assert mirrored.mean == -found.mean
    if found.low is not None:
        assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), rel=1e-9, abs=1e-12)
    order = data.draw(st.permutations(range(len(pairs))))
    shuffled = {"rnn": {seed: theirs[seed] for seed in order}, "gpt": {seed: ours[seed] for seed in order}}
    assert differences(shuffled, "rnn") == [found]
    renamed = compared([ours[seed] for seed in order], [theirs[seed] for seed in order])
    assert renamed.mean == pytest.approx(found.mean, abs=1e-9) and renamed.verdict == found.verdict


@given(st.floats(1e-9, 10), st.floats(1e-9, 10), st.floats(0.5, 0.9999))
@settings(max_examples=60, deadline=None)
def test_seeds_needed_is_a_number_or_too_many(difference, deviation, level):
    needed = seeds_needed(difference, deviation, level)
    assert needed is None or 2 <= needed <= MOST_SEEDS
    assert needed is None or float(power(needed, difference, deviation, level)) >= 0.8
