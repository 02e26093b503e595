from __future__ import annotations

import pytest

from pentad import Choice, Recipe, Situation, plan
from pentad_adamw.options import AdamWOptions
from pentad_adamw.sizing import advise


def rate(n_parameters, steps, **known):
    situation = {"train_bytes": 1, "tokens": steps * 8 * 128, "n_parameters": n_parameters, "open": frozenset({"lr"}), **known}
    advice = advise(AdamWOptions(), Situation(**situation))
    return advice and advice.values["lr"]


def test_small_models_get_more_the_shorter_the_training_and_large_ones_less():
    assert [rate(25_000, 220), rate(100_000, 800)] == [0.024, 0.01]
    assert [rate(100_000, 100_000), rate(12 * 10**7, 10**6)] == [None, 0.0015]


def test_a_given_rate_and_a_start_from_another_run_hold():
    assert rate(10**8, 10**6, open=frozenset({"beta1"})) is None
    assert rate(25_000, 220, starts_from_run=True) is None


@pytest.mark.parametrize(("width", "options", "expected"), [(512, {}, 0.0026), (512, {"lr": 0.01}, 0.01), (8, {}, 0.003)])
def test_the_plan_has_the_rate_and_says_why(width, options, expected, tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    recipe = Recipe(
        tokenizer="byte",
        model=Choice("gpt", n_layer=1, n_head=2, n_embd=width),
        optimizer=Choice("adamw", **options),
        data=tmp_path / "text.txt",
        training={"steps": 2, "batch_size": 1, "context_length": 8},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
    )
    found = plan(recipe)
    assert found.recipe.choice("optimizer").options["lr"] == expected
    assert ("optimizer" in found.sizing) == (expected == 0.0026)
