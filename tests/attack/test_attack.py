"""A few cases of each attack (`make attack` has them all), and that an attack tells what does not hold."""

from __future__ import annotations

import itertools
import os
import random

import pytest

from .__main__ import attacks
from .child import Ended, in_child
from .ground import Ground

NAMES = ("kill -9 before a call", "a call that fails", "damage to a run", "damage to the cache", "readers")


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", "")  # set by the ground, and put back after it
        with pytest.warns(UserWarning, match="Using the checkpoint of step 7"):
            made = Ground(tmp_path_factory.mktemp("ground"))
        yield made


@pytest.mark.parametrize("name", NAMES)
def test_a_few_cases_hold(ground, name):
    found = attacks(ground, quick=True, chance=random.Random(1))
    assert set(found) == set(NAMES)
    cases = list(itertools.islice(found[name], 3))
    assert cases and [case for case in cases if case.wrong] == []


def test_what_ends_otherwise_is_told():
    assert in_child(lambda: 3) == Ended("ok", "3")
    assert in_child(lambda: 1 / 0).how == "bug"
    assert in_child(lambda: os.kill(os.getpid(), 15)).how == "bug"
    assert in_child(lambda: os.kill(os.getpid(), 9)).how == "killed"


def test_a_run_that_came_to_something_else_is_told(ground):
    path = ground.copy(ground.complete)
    (path / "samples.jsonl").write_text("")
    assert ground.finished(path) == "samples.jsonl differs"
