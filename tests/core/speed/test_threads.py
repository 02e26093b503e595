"""The number of CPU threads: fewer where that is faster, recorded, and taken again by a run that is resumed."""

from __future__ import annotations

import json

import pytest
import torch

from pentad import Choice, Recipe, plan, resume, run
from pentad.config.kernels import Wish
from pentad.contracts.observer import RunObserver
from pentad.speed.threads import fastest_threads
from pentad.system.machine import Machine, machine_name
from pentad.train import learner
from pentad.train.computing.kept import LOOKS
from pentad.train.computing.kernels import Kernels, same_kernels


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Clock:
    """A clock that goes on by what a step takes with the threads of the moment."""

    def __init__(self, seconds):
        self.seconds, self.now, self.threads, self.tried = seconds, 0.0, 0, []

    def use(self, threads):
        self.threads = threads
        self.tried.append(threads)

    def step(self):
        self.now += self.seconds[self.threads]

    def find(self, most, seconds):
        per_step = self.seconds[most]
        return fastest_threads(most, self.step, self.use, seconds=seconds, seconds_per_step=per_step, clock=lambda: self.now)


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({16: 1.0, 8: 0.6, 4: 0.4, 2: 0.38, 1: 0.1}, 4),  # halving ends where it is not clearly faster
        ({16: 1.0, 8: 0.95, 4: 0.1, 2: 0.1, 1: 0.1}, 16),
        ({16: 1.0, 8: 0.8, 4: 0.6, 2: 0.5, 1: 0.4}, 1),
        ({2: 1.0, 1: 0.5}, 1),
        ({2: 1.0, 1: 1.9}, 2),
        ({6: 1.0, 3: 0.5, 1: 0.3}, 1),
        ({1: 1.0}, 1),
    ],
)
def test_threads_are_halved_as_long_as_it_gets_faster(seconds, best):
    clock = Clock(seconds)
    most = max(seconds)
    found, speed = clock.find(most, 1000)
    assert found == best == (clock.threads or most)
    assert speed == pytest.approx(seconds[most] / seconds[best])
    assert all(threads >= best // 2 for threads in clock.tried)


@pytest.mark.parametrize("allowed", [0.0, 5.0, 8.0, 9.0, 12.0, 20.0, 100.0])
@pytest.mark.parametrize("half", [0.4, 1.0, 2.0])
def test_measuring_keeps_to_its_time(allowed, half):
    clock = Clock({4: 1.0, 2: half, 1: 0.3})
    found, _ = clock.find(4, allowed)
    assert clock.now <= max(allowed, 0)
    assert found == 4 if allowed < 9 or half >= 1 else found < 4
    assert clock.threads == found


def test_a_first_step_that_is_slow_does_not_count():
    clock = Clock({2: 1.0, 1: 0.5})
    first = iter([50.0])
    step = clock.step

    def stumbling():
        clock.now += next(first, 0.0) if clock.threads == 1 else 0.0
        step()

    clock.step = stumbling
    assert clock.find(2, 1000)[0] == 1


def test_a_resumed_run_has_the_threads_that_it_had(cpu):
    four = Machine(device=cpu.device, precision="fp32", threads=4)
    recorded = {"machine": machine_name(cpu), **Kernels(precision="fp32", products="highest", threads=2).as_json()}
    assert same_kernels(recorded, four, Wish()).machine(four).threads == torch.get_num_threads() == 2
    assert same_kernels(recorded, four, Wish(), threads_asked=True).machine(four).threads == torch.get_num_threads() == 4
    assert same_kernels(recorded, cpu, Wish()).threads is None  # there is one only
    assert same_kernels({**recorded, "threads": "all"}, four, Wish()) == Kernels.usual(four)
    del recorded["threads"]
    assert same_kernels(recorded, four, Wish()).threads is None


def recipe_of(text, **machine):
    return Recipe(
        tokenizer="byte", builder="next-token", model=Choice("gpt", n_layer=1, n_head=2, n_embd=16), optimizer="adamw",
        sampler="greedy", data=text, training={"steps": 6, "batch_size": 4, "context_length": 16},
        machine={"device": "cpu", "precision": "fp32", **machine}, reporting={"log_every": 1},
    )  # fmt: skip


@pytest.fixture
def two_cores(monkeypatch, cache):
    """A machine that seems to have two cores, of which one alone is faster."""
    tried = []

    def choose(most, step, use, **_):
        step()
        tried.append(most)
        use(1)
        return 1, 3.0

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("pentad.system.machine.available_cores", lambda: 2)
    monkeypatch.setattr(learner, "allowed_seconds", lambda *_: 0.5)
    monkeypatch.setattr(learner, "fastest_threads", choose)
    return tried


def test_a_run_keeps_its_threads_from_start_to_end(tmp_path, text, two_cores):
    planned = plan(recipe_of(text))
    assert two_cores == [2] and planned.threads == 1 and planned.kernels
    run(recipe_of(text), out=tmp_path / "run")
    assert two_cores == [2, 2]  # that fewer are faster is found out anew, as it may have been so for a moment alone
    facts = json.loads((tmp_path / "run" / "engine.json").read_text())
    assert facts["threads"] == facts["kernels"]["threads"] == 1
    torch.set_num_threads(2)
    assert resume(tmp_path / "run", steps=8).step == 8
    assert torch.get_num_threads() == 1
    assert resume(tmp_path / "run", steps=9, machine={"threads": 2}).step == 9
    assert torch.get_num_threads() == 2


def test_a_run_that_goes_on_with_another_number_of_threads_says_so(tmp_path, text, two_cores, monkeypatch):
    class Plans(RunObserver):
        warnings = ()

        def on_start(self, event):
            self.warnings = event.warnings

    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(learner, "fastest_threads", lambda most, *_, **__: (most, 1.0))
    run(recipe_of(text), out=tmp_path / "run")
    monkeypatch.setattr("pentad.system.machine.available_cores", lambda: 1)
    plans = Plans()
    for steps, said in ((8, True), (10, False)):
        resume(tmp_path / "run", steps=steps, observers=[plans])
        assert torch.get_num_threads() == 1
        assert any("threads" in warning for warning in plans.warnings) is said
    resume(tmp_path / "run", steps=12, observers=[plans], machine={"threads": 2})
    assert not any("threads" in warning for warning in plans.warnings), "who asks for it knows"


def test_kernels_are_kept_for_so_many_threads(text, two_cores, monkeypatch):
    for _ in range(LOOKS):
        plan(recipe_of(text))
    monkeypatch.setattr(learner, "fastest", None)  # calling it would fail
    assert plan(recipe_of(text)).threads == 1


def test_that_all_threads_are_fastest_is_kept(text, two_cores, monkeypatch):
    monkeypatch.setattr(learner, "fastest_threads", lambda most, *_, **__: two_cores.append(most) or (most, 1.0))
    assert [plan(recipe_of(text)).threads for _ in range(LOOKS + 2)] == [2] * (LOOKS + 2)
    assert len(two_cores) == LOOKS


def test_who_says_how_many_threads_is_obeyed(text, two_cores, monkeypatch):
    assert plan(recipe_of(text, threads=2)).threads == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert plan(recipe_of(text)).threads == 2
    assert two_cores == []
