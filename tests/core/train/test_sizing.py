"""What core sizes by itself, what it knows of the machine's speed, and where a training ends early."""

from __future__ import annotations

import dataclasses
import itertools
import types

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pentad import Situation, open_run, plan, resume, run
from pentad.config.recipe import Choice, Recipe
from pentad.contracts.observer import Observers
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import resolve
from pentad.speed.measured import CoreShare
from pentad.system.processes import World
from pentad.train import assembly, sizing
from pentad.train.computing.kernels import Kernels
from pentad.train.estimate import Estimate
from pentad.train.sizing import ROUNDS, corrected, situation_of, speeds_of, with_examples


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


def situation(chosen: Recipe, machine) -> Situation:
    resolved = resolve(chosen, Catalogue())
    return situation_of(resolved, speeds_of(resolved, machine, World()), machine, World())


def test_what_a_step_reached_is_what_the_next_run_expects(own_cache, cpu):
    resolved = resolve(recipe("x", budget="10s"), Catalogue())
    speeds = speeds_of(resolved, cpu, World())
    first = situation_of(resolved, speeds, cpu, World())
    assert first.flops > 1e6 and not (own_cache / "speed").exists(), "a guess, of which nothing is kept"
    found = corrected(first, cost(1.2e11), 1.0, speeds, World())
    assert found.flops_per_second == pytest.approx(1.2e11) and found.flops == pytest.approx(1.2e12)
    assert corrected(first, cost(0.6e11), 0.5, speeds_of(resolved, cpu, World()), World()).flops == pytest.approx(1.2e12)
    speeds.keep(found.seconds, found.flops, 1e9)
    assert situation(recipe("x", budget="10s"), cpu).flops == pytest.approx(1.2e12)
    for note in (own_cache / "speed").iterdir():
        note.write_text('{"rates": {"x": 1}, "plans": [], "more": 3}')
    assert situation(recipe("x", budget="10s"), cpu).flops > 1e6, "a damaged note is none"


def test_nothing_is_measured_for_short_runs_and_given_arithmetic(cpu, own_cache):
    for training in ({"steps": 5}, {"budget": "1e12flops"}, {"budget": "100kB"}):
        assert situation(recipe("x", **training), cpu).flops_per_second == 0
    assert not (own_cache / "speed").exists()


def test_examples_grow_with_the_arithmetic_and_given_ones_stay():
    def training(flops: float, **given: object):
        resolved = resolve(recipe("x", budget=f"{flops}flops", **given), Catalogue())
        return next(with_examples(resolved, Situation(train_bytes=0, flops=flops))).recipe.training

    sizes = [training(flops).batch_size * training(flops).context_length for flops in (1e10, 1e12, 1e14, 1e16)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
    assert training(1e16, batch_size=8).batch_size == 8 and training(1e16, batch_size=8).context_length > 128
    given = [training(flops, context_length=64) for flops in (1e10, 1e14, 1e16)]
    assert [each.batch_size * each.context_length for each in given] == [sizes[0], *sizes[2:]], "as many tokens, however long"
    assert training(1e10, context_length=4096).batch_size == 1


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

    monkeypatch.setattr(CoreShare, "__exit__", lambda *_: None)  # a machine that does nothing else
    monkeypatch.setattr(assembly, "find_kernels", lambda learner, resolved, prepared, place, *_: Kernels.usual(place.machine))
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
    monkeypatch.setattr(sizing, "measured_rate", lambda machine, world: rate / sizing.PRODUCTS_SHARE)


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(("rate", "times"), [(1e9, 1), (1e11, 2)])
def test_a_model_is_made_and_measured_again_only_where_its_speed_asks_for_another_size(longer, made, monkeypatch, rate, times):
    note_speed(monkeypatch, 1e9)
    made["rate"] = rate
    said = plan(recipe(longer, budget="30s", context_length=16, batch_size=8))
    assert (made["made"], made["measured"]) == (times, times)
    at_once = plan(said.recipe)
    assert at_once.parameters == said.parameters and at_once.steps == said.steps
    assert made["made"] == times + 1, "a size that is given is made once"


@pytest.mark.usefixtures("own_cache")
def test_a_size_that_stays_what_it_was_is_not_made_again(longer, made, monkeypatch):
    """Ten times slower than was thought, and already the smallest."""
    note_speed(monkeypatch, 1e6)
    made["rate"] = 1e5
    plan(recipe(longer, budget="1s", context_length=16, batch_size=8))
    assert made["made"] == 1


@pytest.mark.usefixtures("own_cache")
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


BUDGETS = (5, 10, 15, 30, 60, 150, 240, 600, 960, 3600, 4 * 3600, 86400)
VOCABULARY = 257


class Machinery:
    """A machine whose steps are the faster the larger they are, to some noise; it makes nothing and times nothing."""

    def __init__(self, slope: float, noise: float) -> None:
        self.slope, self.noise, self.draw = slope, noise, (lambda: 0.0)
        self.timed = 0

    def speed(self, flops_per_step: float) -> float:
        return 1e10 * (flops_per_step / 1e9) ** self.slope

    def make_and_measure(self, sized, place, start):
        self.timed += 1
        model, training = sized.resolved.options["model"], sized.resolved.recipe.training
        flops = (
            6
            * training.batch_size
            * training.context_length
            * (12 * model.n_layer * model.n_embd**2 + VOCABULARY * model.n_embd)
        )
        seconds = flops / self.speed(flops) / (1 + self.noise * self.draw())
        return assembly.Chosen(
            resolved=sized.resolved,
            sizing=sized.reasons,
            learner=types.SimpleNamespace(learns=True),
            cost=Estimate(flops_per_step=flops, seconds_per_step=seconds, memory_bytes=0),
            kernels=None,
        )


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    path = tmp_path_factory.mktemp("play") / "play.txt"
    path.write_text("".join(f"{number} cats sat on mat {number * 7 % 13} and slept.\n\n" for number in range(9000)))
    return path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chosen:
    """A budget, what it buys by compiling, layers times width, the operations that were reckoned with, and those until more
    would not help."""

    seconds: float
    bought: float
    size: int
    flops: float
    used: float
    flops_per_step: float

    def reaches(self, machinery: Machinery) -> float:
        """Return how many times the arithmetic was reckoned with that the machine does in the time by compiling."""
        return self.flops / self.bought / machinery.speed(self.flops_per_step)


def chosen_for(seconds: float, data, cpu) -> Chosen:
    place = assembly.Place(machine=cpu, world=World(), observer=Observers(()), only_planned=True)
    resolved = resolve(recipe(data, budget=f"{seconds}s"), Catalogue())
    prepared, chosen = assembly.choose(resolved, Catalogue(), place, None)
    model, training, cost = chosen.resolved.options["model"], chosen.resolved.recipe.training, chosen.cost
    speeds = speeds_of(resolved, cpu, World())
    flops = speeds.in_order(seconds, 0.0)
    most = training.max_epochs * prepared.train.n_tokens * cost.flops_per_step / training.batch_size / training.context_length
    return Chosen(
        seconds=seconds,
        bought=speeds.bought(seconds),
        size=model.n_layer * model.n_embd,
        flops=flops,
        used=min(flops, most),
        flops_per_step=cost.flops_per_step,
    )


def faked(patched: pytest.MonkeyPatch, machinery: Machinery, cache, guess: float) -> None:
    patched.setenv("PENTAD_CACHE", str(cache))
    patched.setattr(assembly, "_make_and_measure", machinery.make_and_measure)
    patched.setattr(sizing, "measured_rate", lambda machine, world: guess)
    patched.setattr(sizing, "compiler_for", lambda device: "g++")


@settings(max_examples=10, deadline=None)
@given(
    history=st.lists(st.sampled_from(BUDGETS), min_size=2, max_size=6),
    slope=st.floats(0, 0.5),
    guess=st.floats(-1, 1),
    data=st.data(),
)
def test_more_time_gets_no_smaller_model_and_no_less_arithmetic_whatever_ran_before(
    history, slope, guess, data, play, cpu, tmp_path_factory
):
    machinery = Machinery(slope, noise=0.1)
    machinery.draw = lambda: data.draw(st.floats(-1, 1))
    with pytest.MonkeyPatch.context() as patched:
        faked(patched, machinery, tmp_path_factory.mktemp("cache"), 1e10 * 8**guess)
        found = [chosen_for(seconds, play, cpu) for seconds in history]
    assert machinery.timed <= ROUNDS * len(history)
    for one in found:
        assert 1 / 1.3 < one.reaches(machinery) < 1.3
    for one, other in itertools.product(found, found):
        if one.seconds <= other.seconds:
            assert one.size <= other.size and one.flops <= other.flops and one.used <= other.used


@pytest.mark.parametrize("guess", [1e8, 1e12])
def test_the_examples_are_those_of_the_speed_that_was_found_and_of_what_is_spent(guess, play, cpu, tmp_path, monkeypatch):
    """Not those of the first guess, nor of a day where twenty passes over a small text take an hour of it."""
    faked(monkeypatch, Machinery(slope=0.0, noise=0.0), tmp_path, guess)

    def examples(data, **training: object) -> tuple[int, int]:
        place = assembly.Place(machine=cpu, world=World(), observer=Observers(()), only_planned=True)
        _, chosen = assembly.choose(resolve(recipe(data, **training), Catalogue()), Catalogue(), place, None)
        return chosen.resolved.recipe.training.batch_size, chosen.resolved.recipe.training.context_length

    assert examples(play, budget="1h") == (4, 512), "3.6e13 operations"
    assert examples(play, budget="24h") == (4, 512), "8.6e14, of which twenty passes are some 7e13"
    assert examples(play, budget="24h", max_epochs=1e9) == (16, 512)
    assert examples(play, budget="24h", max_epochs=1e9, context_length=64) == (128, 64)
    assert examples(play, budget="60s") == (8, 128)


def test_a_step_that_was_timed_under_load_does_not_stay(play, cpu, tmp_path, monkeypatch):
    machinery = Machinery(slope=0.3, noise=0.0)
    faked(monkeypatch, machinery, tmp_path, 1e10)
    quiet = chosen_for(150, play, cpu)
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "loaded"))
    machinery.noise, machinery.draw = 1.0, lambda: -0.8
    assert chosen_for(150, play, cpu).size < quiet.size
    machinery.noise = 0.0
    assert chosen_for(60, play, cpu).reaches(machinery) == pytest.approx(1.0, rel=0.2), "of another budget"
    assert chosen_for(150, play, cpu).size == quiet.size
    machinery.noise = 1.0
    assert chosen_for(150, play, cpu).size == quiet.size, "a single slow one is outvoted"
