from __future__ import annotations

import pytest

from pentad import Catalogue, Choice, Recipe, Situation, plan
from pentad_optimizers.options import LionOptions, SGDOptions
from pentad_optimizers.sizing import FIGURES, advise

OWN = ("adafactor", "lion", "schedule-free", "sgd", "soap")


def rate(options, n_parameters, steps, **known):
    situation = {"train_bytes": 1, "tokens": steps * 8 * 128, "n_parameters": n_parameters, "open": frozenset({"lr"}), **known}
    advice = advise(options, Situation(**situation))
    return options.lr if advice is None else advice.values["lr"]


@pytest.fixture(params=sorted(FIGURES, key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def options(request):
    return request.param()


def test_every_optimizer_of_the_distribution_has_its_figures():
    offers = {offer.name: offer for offer in Catalogue().offers("optimizer")}
    assert {offers[name].options for name in OWN} == set(FIGURES)
    assert all(offers[name].record.advise for name in OWN)


def test_a_small_model_gets_more_the_shorter_its_training_and_at_last_the_default(options):
    rates = [rate(options, n, steps) for n, steps in ((24_600, 220), (98_300, 800), (786_000, 2_000), (10**6, 20_000))]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 2 * options.lr and rates[-1] == options.lr


def test_a_given_rate_a_start_from_another_run_and_few_steps_keep_the_default(options):
    assert rate(options, 24_600, 220, open=frozenset({"weight_decay"})) == options.lr
    assert rate(options, 24_600, 220, starts_from_run=True) == options.lr
    assert rate(options, 24_600, 199) == options.lr


def test_large_models_get_less_where_the_rate_is_the_size_of_a_step():
    lowered = {kind for kind in FIGURES if rate(kind(), 10**8, 10**6) < kind().lr}
    assert {kind.__name__ for kind in lowered} == {"LionOptions", "ScheduleFreeOptions", "SOAPOptions"}


@pytest.mark.parametrize(("name", "kind"), [("lion", LionOptions), ("sgd", SGDOptions)])
def test_the_plan_has_the_rate_and_says_why(name, kind, tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    for steps, options in ((300, {}), (300, {"lr": kind().lr}), (20, {})):
        recipe = Recipe(
            tokenizer="byte",
            model=Choice("gpt", n_layer=1, n_head=2, n_embd=8),
            optimizer=Choice(name, **options),
            data=tmp_path / "text.txt",
            training={"steps": steps, "batch_size": 1, "context_length": 8},
            machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        )
        found = plan(recipe)
        sized = steps == 300 and not options
        assert (found.recipe.choice("optimizer").options["lr"] > kind().lr) == sized == ("optimizer" in found.sizing)
