"""A few cases of each attack (`make attack` has them all), and that an attack tells what does not hold."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections import Counter

import pytest

from .ground import Ground
from .harness import child
from .harness.batch import Attack, Batch, Case, sampled
from .harness.child import Ended, each_in_child, in_child
from .harness.quick import sample
from .harness.tally import Tally
from .table import attacks


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
    *("damage to what readers keep", "memory that ends", "reading while it trains"),
    *("readers of runs", "readers of text", "requests to the studio"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_few_cases_hold(ground, name):
    found = attacks(ground, seed=1, size=1)
    assert set(found) == set(NAMES)
    few = itertools.islice(sampled(found[name].batches(), random.Random(1)), 1)
    cases = [case for batch in few for case in itertools.islice(batch.cases(), 2)]
    assert cases and [case for case in cases if case.wrong] == []


def attack_of(*endings, share=1):
    """An attack whose cases end so; a case that is wrong says why."""
    cases = [Case(f"case {index}", Ended("ok"), wrong) for index, wrong in enumerate(endings)]
    return Attack(lambda: (Batch(case.what, lambda case=case: iter([case])) for case in cases), share)


@pytest.mark.parametrize(
    ("others", "code", "line"),
    [
        ([("",)], 0, "2 cases, of which 0 did not hold"),
        ([("", "lost")], 1, "3 cases, of which 1 did not hold"),
        ([()], 1, "NOTHING WAS DONE"),
    ],
)
def test_a_sample_fails_where_a_case_does_not_hold_or_an_attack_does_nothing(ground, capfd, others, code, line):
    named = {"first": attack_of(""), **{f"other {index}": attack_of(*endings) for index, endings in enumerate(others)}}
    assert sample(named, ground, 5.0, 7) == code
    said = capfd.readouterr().out
    assert line in said and "seed 7" in said


def test_a_sample_stops_at_its_share_of_the_time_and_does_one_case_at_least(ground, capfd):
    sample({"many": attack_of(*[""] * 1000), "few": attack_of("")}, ground, 0.0, 7)
    assert "2 cases" in capfd.readouterr().out


def test_a_sample_has_some_of_each_kind_first():
    batches = [Batch(f"{kind}{index}", iter, kind) for kind in "abc" for index in range(3)]
    drawn = [batch.name for batch in sampled(batches, random.Random(3))]
    assert sorted(drawn) == sorted(batch.name for batch in batches)
    assert {name[0] for name in drawn[:3]} == {"a", "b", "c"} and drawn != sorted(drawn)


def test_one_that_ends_the_process_costs_itself_alone():
    works = [lambda: 1, lambda: os.kill(os.getpid(), 9), lambda: 3]
    assert [ended.how for ended in each_in_child(works)] == ["ok", "killed", "ok"]


def test_one_that_waits_for_ever_is_hung_and_one_that_computes_is_not(monkeypatch):
    monkeypatch.setattr(child, "SECONDS", 0.2)
    monkeypatch.setattr(child, "IDLE", 1.0)
    assert in_child(lambda: time.sleep(60)) == Ended("hung")

    def compute():
        began = time.process_time()
        while time.process_time() - began < 0.5:
            pass

    assert in_child(compute).how == "ok"


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
