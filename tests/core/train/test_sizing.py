"""What core sizes by itself, what it knows of the machine's speed, and where a training ends early."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from pentad import Situation, open_run, plan, resume, run
from pentad.config.recipe import Choice, Recipe
from pentad.contracts.observer import Observers
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import resolve
from pentad.system.processes import World
from pentad.train import assembly, sizing
from pentad.train.estimate import Estimate
from pentad.train.sizing import corrected, measured_rate, situation_of, with_examples

TIMED = Situation(train_bytes=1, flops=1e12, seconds=10.0, flops_per_second=1e11)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def cost(rate: float) -> Estimate:
    return Estimate(flops_per_step=1e9, seconds_per_step=1e9 / rate, memory_bytes=0)


def recipe(data: object, **training: object) -> Recipe:
    return Recipe(
        tokenizer="byte",
        builder="next-token",
        model="gpt",
        optimizer="adamw",
        sampler="greedy",
        data=str(data),
        training=training,
        machine={"device": "cpu", "threads": 1, "precision": "fp32", "compile": "off"},
        generation={"max_tokens": 2},
    )


def test_a_speed_is_noted_once_and_holds_until_it_is_far_off(own_cache, cpu):
    world = World()
    assert corrected(TIMED, cost(1.2e11), cpu, world) is None
    (noted,) = (own_cache / "speed").iterdir()
    first = json.loads(noted.read_text())["flops_per_second"]
    assert first == pytest.approx(1.2e11)
    assert corrected(TIMED, cost(0.9e11), cpu, world) is None
    assert json.loads(noted.read_text())["flops_per_second"] == first, "about as fast is the same"
    slower = corrected(TIMED, cost(1e10), cpu, world)
    assert slower is not None and slower.flops == pytest.approx(1e11) and slower.flops_per_second == pytest.approx(1e10)
    assert json.loads(noted.read_text())["flops_per_second"] == pytest.approx(1e10)
    noted.write_text("{}")
    assert situation_of(resolve(recipe("x", budget="5s"), Catalogue()), cpu, world).flops_per_second > 0


def test_the_machine_is_measured_quickly(cpu):
    assert measured_rate(cpu, World()) > 1e6


def test_nothing_is_measured_for_short_runs_and_given_arithmetic(cpu, own_cache):
    for training in ({"steps": 5}, {"budget": "1e12flops"}, {"budget": "100kB"}):
        known = situation_of(resolve(recipe("x", **training), Catalogue()), cpu, World())
        assert known.flops_per_second == 0
    assert not own_cache.exists()


def test_examples_grow_with_the_arithmetic_and_given_ones_stay():
    def training(flops: float, **given: object):
        resolved = resolve(recipe("x", budget=f"{flops}flops", **given), Catalogue())
        return with_examples(resolved, Situation(train_bytes=0, flops=flops)).recipe.training

    sizes = [training(flops).batch_size * training(flops).context_length for flops in (1e10, 1e12, 1e14, 1e16)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
    assert training(1e16, batch_size=8).batch_size == 8 and training(1e16, batch_size=8).context_length > 128


@pytest.mark.usefixtures("cache")
def test_a_text_that_is_read_often_enough_ends_the_run(text, tmp_path):
    small = recipe(text, budget="1e15flops", context_length=16, batch_size=1)
    small = small.replace(model=Choice("gpt", n_layer=1, n_embd=8, n_head=2))
    limited = small.replace(training=dataclasses.replace(small.training, max_epochs=1.0))
    result = run(limited, out=tmp_path / "run")
    said = plan(limited)
    assert result.step == said.steps < 100 and said.epochs == pytest.approx(1.0, rel=0.2)
    assert resume(tmp_path / "run", steps=result.step + 3).step == result.step + 3
    assert open_run(tmp_path / "run").recipe.training.max_epochs is None, "a new end is where the user wants to get"


@pytest.mark.usefixtures("cache")
def test_a_limit_of_passes_ends_a_run_by_time_too(text, tmp_path):
    small = recipe(text, budget="1h", context_length=16, batch_size=8, max_epochs=1.0)
    result = run(small.replace(model=Choice("gpt", n_layer=1, n_embd=8, n_head=2)), out=tmp_path / "run")
    assert result.seconds < 60 and result.step < 100


@pytest.mark.usefixtures("cache")
def test_only_a_budget_of_time_or_arithmetic_is_cut(text):
    assert plan(recipe(text, budget="500epochs", context_length=16)).recipe.training.max_epochs is None
    by_arithmetic = plan(recipe(text, budget="1e12flops", context_length=16))
    assert by_arithmetic.recipe.training.max_epochs is not None
    assert by_arithmetic.epochs <= by_arithmetic.recipe.training.max_epochs * 1.1


@pytest.fixture
def made(monkeypatch):
    """Count how often a model is made whole and how often its speed is measured, at a speed that the test sets."""
    counts = {"made": 0, "measured": 0, "rate": 1.0}
    make, measure = assembly.make_learner, assembly.measure

    def counted(*args, **kwargs):
        counts["made"] += 1
        return make(*args, **kwargs)

    def at_a_rate(*args, **kwargs):
        counts["measured"] += 1
        found = measure(*args, **kwargs)
        return dataclasses.replace(found, seconds_per_step=found.flops_per_step / counts["rate"])

    monkeypatch.setattr(assembly, "make_learner", counted)
    monkeypatch.setattr(assembly, "measure", at_a_rate)
    return counts


@pytest.fixture
def longer(tmp_path):
    """A text that is worth more than the smallest model."""
    path = tmp_path / "longer.txt"
    path.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(1000)))
    return path


def note_speed(monkeypatch, rate: float) -> None:
    monkeypatch.setattr(sizing, "_noted", lambda machine, world: rate)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(("rate", "times"), [(1e9, 1), (1.5e9, 1), (1e11, 2)])
def test_a_model_is_made_and_measured_again_only_where_its_speed_asks_for_another_size(longer, made, monkeypatch, rate, times):
    note_speed(monkeypatch, 1e9)
    made["rate"] = rate
    said = plan(recipe(longer, budget="30s", context_length=16, batch_size=8))
    assert (made["made"], made["measured"]) == (times, times)
    at_once = plan(said.recipe)
    assert at_once.parameters == said.parameters and at_once.steps == said.steps
    assert made["made"] == times + 1, "a size that is given is made once"


@pytest.mark.usefixtures("cache")
def test_a_size_that_stays_what_it_was_is_not_made_again(longer, made, monkeypatch):
    """Ten times slower than was thought, and already the smallest."""
    note_speed(monkeypatch, 1e6)
    made["rate"] = 1e5
    plan(recipe(longer, budget="1s", context_length=16, batch_size=8))
    assert made["made"] == 1


@pytest.mark.usefixtures("cache")
def test_a_sized_run_is_the_run_of_the_same_sizes_given(longer, made, monkeypatch):
    """Whatever was made and measured before, the weights begin as those of a model that is made at once."""
    note_speed(monkeypatch, 1e9)
    made["rate"] = 1e11
    timed = recipe(longer, budget="30s", context_length=16, batch_size=8)
    sized = assembly.assemble(resolve(timed, Catalogue()), Catalogue(), Observers(()))
    given = assembly.assemble(resolve(sized.resolved.recipe, Catalogue()), Catalogue(), Observers(()))
    assert made["made"] == 3
    left, right = sized.model.state_dict(), given.model.state_dict()
    assert left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
