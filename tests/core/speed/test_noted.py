"""What is noted of a machine's speed: medians by the size of a step, plans in order, and what is damaged or contradicted."""

from __future__ import annotations

import pytest

from pentad.speed.compiling import EXPECTED, Compiling
from pentad.speed.noted import PLANS, REMEMBERED, Speeds


@pytest.fixture
def speeds(tmp_path):
    return Speeds(place=tmp_path / "speed" / "machine.json", plans_of="this text")


def test_a_rate_is_the_median_of_the_last_few(speeds):
    assert speeds.rate(1e9) == 0.0 and speeds.expected(60.0) == 0.0
    speeds.note(1e9, 1e9)
    assert speeds.rate(1e9) == pytest.approx(1e9)
    speeds.note(1e9, 4e9)
    assert speeds.rate(1e9) == pytest.approx(4e9), "of two the faster: what else ran made the other slow"
    for _ in range(REMEMBERED):
        speeds.note(1e9, 2e9)
    speeds.note(1e9, 1e8)
    assert speeds.rate(1e9) == pytest.approx(2e9) and len(speeds.rates) == 1


def test_between_two_sizes_it_lies_between_and_never_falls(speeds):
    for flops, rate in ((1e8, 1e9), (1e10, 1e10), (1e11, 5e9)):
        speeds.note(flops, rate)
    assert speeds.rate(1e9) == pytest.approx(10**9.5, rel=0.1)
    assert speeds.rate(1e7) == pytest.approx(1e9) and speeds.rate(1e11) == pytest.approx(1e10) == speeds.rate(1e12)
    assert speeds.expected(1.0) < speeds.expected(1e5) == pytest.approx(1e10), "a longer training has larger steps"


def test_steps_that_compute_in_the_usual_way_have_rates_of_their_own(speeds):
    speeds.note(1e9, 4e9)
    speeds.brief = True
    assert speeds.rate(1e9) == pytest.approx(4e9), "better than a guess"
    speeds.note(1e9, 1e9)
    assert speeds.rate(1e9) == pytest.approx(1e9)
    speeds.brief = False
    assert speeds.rate(1e9) == pytest.approx(4e9)


def test_plans_stay_in_order_until_the_machine_is_found_to_be_another(speeds):
    speeds.note(1e9, 1e9)
    speeds.keep(100.0, 1e11, 1e9)
    assert speeds.in_order(99.0, 2e11) == 1e11 == speeds.in_order(101.0, 5e10) == speeds.in_order(100.0, 1.0)
    assert speeds.in_order(50.0, 4e10) == 4e10
    speeds.plans_of = "another text"
    assert speeds.in_order(100.0, 1.0) == 1.0
    speeds.plans_of = "this text"
    speeds.note(1e9, 1.1e9)
    assert speeds.in_order(100.0, 1.0) == 1e11, "noise"
    speeds.note(1e8, 2e9)
    assert speeds.in_order(100.0, 1.0) == 1.0, "a smaller step was faster: the larger had been slowed down"


def test_only_the_last_plans_are_kept_and_a_budget_has_one(speeds):
    speeds.note(1e9, 1e9)
    for seconds in (5, 5, *range(1, PLANS + 10)):
        speeds.keep(seconds, 1e9 * seconds, 1e9)
    assert len(speeds.plans["this text"]) == PLANS


@pytest.mark.parametrize("folder", [False, True])
def test_a_cache_that_cannot_be_written_is_no_matter(speeds, folder):
    if folder:
        speeds.place.mkdir(parents=True)
    else:
        speeds.place.parent.touch()
    speeds.note(1e9, 1e9)
    speeds.keep(1.0, 1e9, 1e9)
    assert not speeds.place.is_file()


def test_compiling_is_expected_to_do_what_it_did_and_to_take_as_long_as_with_nothing_kept(speeds):
    assert speeds.compiling() == EXPECTED
    assert not speeds.pays_to_compile(1e6) and speeds.bought(1e6) == 1e6, "where nothing is compiled"
    speeds.compiles = "auto"
    assert not speeds.pays_to_compile(60) and speeds.bought(60) == 60
    assert speeds.pays_to_compile(3600) and speeds.bought(3600) == pytest.approx(3600 * EXPECTED.faster, rel=0.02)
    speeds.note_compiling(Compiling(faster=0.9, seconds=200.0))
    assert speeds.pays_to_compile(3600), "once may be chance"
    for faster, seconds in ((1.5, 20.0), (1.4, 3.0), (1.6, 4.0)):
        speeds.note_compiling(Compiling(faster=faster, seconds=seconds))
    assert speeds.compiling() == Compiling(faster=1.4, seconds=35.0)
    for _ in range(REMEMBERED):
        speeds.note_compiling(Compiling(faster=0.9, seconds=30.0))
    assert not speeds.pays_to_compile(1e6) and len(speeds.compiled) == REMEMBERED
    speeds.compiles = "on"
    assert speeds.pays_to_compile(1)
