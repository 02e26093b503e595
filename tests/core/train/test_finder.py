"""The range test of learning rates: on the run's own examples, through the one dial, with the schedule left out."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import Catalogue, Choice, RateSweep, find_lr, run
from pentad.contracts.observer import Observers
from pentad.registry.resolving import resolve
from pentad.testing import raises_code
from pentad.train.assembly import assemble
from pentad.train.finder import HIGHEST, LOWEST, smoothed, suggestion, sweep

pytestmark = pytest.mark.usefixtures("cache")

STEPS = 60


def recipe_of(tiny_recipe, text, optimizer="muon", **changes):
    return tiny_recipe(text, steps=8, optimizer=optimizer, **changes)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    return path


@pytest.fixture(scope="module")
def found(text, tiny_recipe, cache):
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(text.parent)
        patched.setattr("pentad.train.finder.LEAST_STEPS", STEPS)
        return find_lr(recipe_of(tiny_recipe, text))


def test_finds_a_rate_between_too_low_and_too_high_and_saves_nothing(found, text):
    assert found.lr == 0.02 and found.planned_steps == 8
    assert found.rates[0] == pytest.approx(0.02 * LOWEST)
    ratios = {round(after / before, 9) for before, after in zip(found.rates, found.rates[1:], strict=False)}
    assert ratios == {round((HIGHEST / LOWEST) ** (1 / (STEPS - 1)), 9)}
    assert len(found.losses) == len(found.rates) <= STEPS
    assert found.suggested is not None and 0.002 < found.suggested < 1.0
    assert min(found.smoothed) < 0.9 * found.losses[0]
    assert [path.name for path in text.parent.iterdir()] == [text.name]
    assert "<svg" in str(found.plot()) and repr(found).startswith("<RateSweep: 0.")


@pytest.fixture
def few(monkeypatch):
    """Make the test 20 steps long."""
    monkeypatch.setattr("pentad.train.finder.LEAST_STEPS", 20)


def test_the_first_loss_is_that_of_the_run(found, text, tmp_path, tiny_recipe):
    result = run(recipe_of(tiny_recipe, text), out=tmp_path / "run", observers=())
    assert found.losses[0] == next(line["loss"] for line in result.metrics if line["kind"] == "step")


def test_every_group_moves_with_the_rate_and_the_schedule_plays_no_part(text, tiny_recipe, few):
    catalogue = Catalogue()
    choice = Choice("muon", schedule="wsd", warmup_ratio=0.5)
    job = assemble(resolve(recipe_of(tiny_recipe, text, choice), catalogue), catalogue, Observers(()))
    seen = []
    step = job.trainer.step

    def watched(*args):
        result = step(*args)
        seen.append([group["lr"] / group["initial_lr"] for group in job.optimization.groups()])
        return result

    job.trainer.step = watched
    found = sweep(job)
    assert len(seen[0]) > 2
    for rate, factors in zip(found.rates, seen, strict=False):
        assert factors == pytest.approx([rate / 0.02] * len(factors))


def test_out_gets_the_curve_and_nothing_else(text, tmp_path, tiny_recipe, few):
    found = find_lr(recipe_of(tiny_recipe, text, "adamw"), out=tmp_path / "a" / "curve")
    assert [path.name for path in (tmp_path / "a" / "curve").iterdir()] == ["learning-rates.json"]
    kept = json.loads((tmp_path / "a" / "curve" / "learning-rates.json").read_text())
    assert kept == json.loads(json.dumps(dataclasses.asdict(found)))
    with raises_code("folder-taken"):
        find_lr(recipe_of(tiny_recipe, text, "adamw"), out=tmp_path / "a" / "curve")
    (tmp_path / "file").write_text("")
    with raises_code("not-writable"):
        found.save(tmp_path / "file" / "below")


def test_a_counted_model_has_no_learning_rate(text, tiny_recipe, fakes):
    from ..test_pipeline import offering_model

    catalogue = offering_model("counting", fakes.Counting)
    with raises_code("no-learning-rate"):
        find_lr(recipe_of(tiny_recipe, text, model="counting"), catalogue=catalogue)


def test_an_objective_whose_loss_says_nothing_is_refused(text, tiny_recipe):
    catalogue = Catalogue()
    job = assemble(resolve(recipe_of(tiny_recipe, text), catalogue), catalogue, Observers(()))
    job.trainer.objective.watched = "reward"
    with raises_code("no-learning-rate"):
        sweep(job)


def test_a_schedule_of_zeros_is_refused(text, tiny_recipe):
    catalogue = Catalogue()
    job = assemble(resolve(recipe_of(tiny_recipe, text), catalogue), catalogue, Observers(()))
    job.optimization.schedule = lambda progress: 0.0
    with raises_code("no-learning-rate"):
        sweep(job)


def test_a_loss_that_is_not_finite_ends_the_test(text, tiny_recipe, few):
    found = find_lr(recipe_of(tiny_recipe, text, Choice("sgd", lr=1e30, momentum=0.0)))
    assert found.diverged and all(math.isfinite(loss) for loss in found.losses)
    assert found.suggested is None


RATES = [10 ** (-4 + 0.1 * step) for step in range(60)]


def bowl(middle, bottom=2.0):
    """A loss that falls from 6 by half around a rate, and rises a hundred times above it."""
    falls = [6 - (6 - bottom) / (1 + (middle / rate) ** 2) for rate in RATES]
    return [loss + (rate / (100 * middle)) ** 2 for loss, rate in zip(falls, RATES, strict=True)]


@pytest.mark.parametrize("middle", [1e-3, 1e-2, 1e-1])
def test_suggests_where_a_curve_is_steepest(middle):
    rate, _ = suggestion(RATES, bowl(middle))
    assert rate == pytest.approx(middle, rel=0.15)


def test_what_goes_up_and_down_before_the_fall_is_no_fall():
    waves = [0.2 * math.cos(at) if at < 20 else 0.0 for at in range(len(RATES))]
    rate, _ = suggestion(RATES, [loss + wave for loss, wave in zip(bowl(1e-1, bottom=5.0), waves, strict=True)])
    assert rate == pytest.approx(1e-1, rel=0.15)


@pytest.mark.parametrize("curve", [[6.0] * 60, [6.0, 7.0], [6 + 0.01 * step for step in range(60)]])
def test_suggests_nothing_where_nothing_is_learned(curve):
    rate, reason = suggestion(RATES, curve)
    assert rate is None and reason


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=40), st.integers(1, 300))
def test_smoothing_keeps_the_ends_and_the_range(losses, steps):
    means = smoothed(losses, steps)
    assert len(means) == len(losses)
    assert means[0] == pytest.approx(losses[0]) and means[-1] == pytest.approx(losses[-1])
    assert all(min(losses) - 1e-9 <= mean <= max(losses) + 1e-9 for mean in means)


def test_smoothing_leaves_a_straight_line_alone():
    line = [0.5 * step for step in range(30)]
    assert smoothed(line, 100) == pytest.approx(line)


def test_a_sweep_says_what_it_suggests():
    common = {"rates": [1.0], "losses": [1.0], "smoothed": [1.0], "lr": None, "diverged": False, "planned_steps": 1}
    assert repr(RateSweep(**common, suggested=None, reason="", seconds=0.0)) == "<RateSweep: nothing suggested after 1 steps>"
