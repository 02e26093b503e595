"""A few cases of each attack (`make attack` has them all), and that an attack tells what does not hold."""

from __future__ import annotations

import itertools
import os
from collections import Counter

import pytest

from .__main__ import Tally, attacks
from .child import Ended, each_in_child, in_child
from .ground import Ground


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", "")  # set by the ground, and put back after it
        with pytest.warns(UserWarning, match="Using the checkpoint of step 7"):
            made = Ground(tmp_path_factory.mktemp("ground"))
        yield made


NAMES = (
    *("kill -9 before a call", "a call that fails", "a file that cannot grow", "the cache deleted at a call"),
    *("damage to a run", "damage to the cache", "damage to a comparison"),
    *("memory that ends", "reading while it trains", "readers of runs", "readers of text"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_few_cases_hold(ground, name):
    found = attacks(ground, quick=True, seed=1)
    assert set(found) == set(NAMES)
    cases = list(itertools.islice(next(found[name]).cases(), 2))
    assert cases and [case for case in cases if case.wrong] == []


def test_one_that_ends_the_process_costs_itself_alone():
    works = [lambda: 1, lambda: os.kill(os.getpid(), 9), lambda: 3]
    assert [ended.how for ended in each_in_child(works)] == ["ok", "killed", "ok"]


def test_a_log_goes_on_behind_what_is_done(tmp_path):
    Tally(tmp_path / "log", 0).add("an attack", "a batch", Counter(ok=2, WRONG=1))
    assert Tally(tmp_path / "log", 0).of("an attack") == Counter(ok=2, WRONG=1)
    assert Tally(tmp_path / "log", 1).of("an attack") == Counter()


def test_what_ends_otherwise_is_told():
    assert in_child(lambda: 3) == Ended("ok", "3")
    assert in_child(lambda: 1 / 0).how == "bug"
    assert in_child(lambda: os.kill(os.getpid(), 15)).how == "bug"
    assert in_child(lambda: os.kill(os.getpid(), 9)).how == "killed"


def test_a_run_that_came_to_something_else_is_told(ground):
    path = ground.copy(ground.complete)
    (path / "samples.jsonl").write_text("")
    assert ground.finished(path) == "samples.jsonl differs"
