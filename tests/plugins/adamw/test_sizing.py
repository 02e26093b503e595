from __future__ import annotations

import pytest

from pentad import Choice, Recipe, Situation, plan
from pentad_adamw.options import AdamWOptions
from pentad_adamw.sizing import advise, kaplan

OPEN = frozenset({"lr"})


def rate(n_parameters, **options):
    advice = advise(AdamWOptions(**options), Situation(train_bytes=1, n_parameters=n_parameters, open=OPEN))
    return advice and advice.values["lr"]


def test_the_law_gives_the_rates_of_its_paper():
    # Kaplan et al. trained GPT-2's largest size, 1.5e9 parameters, at about 0.0003.
    assert kaplan(1.5e9) == pytest.approx(2.9e-4, rel=0.02)


def test_small_models_keep_the_default_and_larger_ones_get_less():
    assert rate(None) is None and rate(10_000) is None and rate(1_000_000) is None
    rates = [rate(n) for n in (2e6, 1e7, 1.2e8, 1e9, 1e11)]
    assert rates == [0.0028, 0.0023, 0.0015, 0.0008, 0.0008]


def test_a_given_rate_holds():
    assert advise(AdamWOptions(), Situation(train_bytes=1, n_parameters=10**8, open=frozenset({"beta1"}))) is None


@pytest.mark.parametrize(("width", "options", "expected"), [(512, {}, 0.0026), (512, {"lr": 0.01}, 0.01)])
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
