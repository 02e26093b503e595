from __future__ import annotations

from typing import Any

import pytest

from pentad import Choice, Recipe, Situation, plan
from pentad.train.estimate import Estimate
from pentad_muon.options import MuonOptions
from pentad_muon.sizing import advise

PER_STEP = 8 * 128

COST = {"flops_per_step": 1e9, "seconds_per_step": 0.01, "memory_bytes": 0}


def rate(steps: float, **known: Any) -> float | None:
    situation = {"train_bytes": 1, "tokens": steps * PER_STEP, "n_parameters": 10**5, "open": frozenset({"lr"}), **known}
    advice = advise(MuonOptions(), Situation(**situation))
    return None if advice is None else advice.values["lr"]


def test_few_steps_get_longer_ones_and_many_the_default():
    assert [rate(steps) for steps in (20, 80, 200, 440, 903, 1500, 1999)] == [0.06, 0.06, 0.06, 0.043, 0.03, 0.023, 0.02]
    assert rate(2000) is None and rate(1e6) is None
    assert rate(19) is None, "not measured"


def test_a_given_rate_a_start_from_another_run_and_a_counted_model_keep_theirs():
    assert rate(300, open=frozenset({"momentum"})) is None
    assert rate(300, starts_from_run=True) is None
    assert rate(300, n_parameters=None) is None and rate(300, n_parameters=0) is None


@pytest.mark.parametrize(("steps", "options", "expected"), [(300, {}, 0.052), (300, {"lr": 0.01}, 0.01), (12, {}, 0.02)])
def test_the_plan_has_the_rate_and_says_why(steps, options, expected, tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    recipe = Recipe(
        tokenizer="byte",
        model=Choice("gpt", n_layer=1, n_head=2, n_embd=8),
        optimizer=Choice("muon", **options),
        data=tmp_path / "text.txt",
        training={"steps": steps, "batch_size": 1, "context_length": 8},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
    )
    found = plan(recipe)
    assert found.recipe.choice("optimizer").options["lr"] == expected
    assert ("optimizer" in found.sizing) == (expected == 0.052)


def test_the_rate_goes_by_the_number_of_steps_that_the_plan_says(tmp_path, monkeypatch):
    """Whatever the machine's speed was thought to be."""
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("pentad.train.sizing.measured_rate", lambda machine, world: 1e9)
    monkeypatch.setattr("pentad.train.assembly.measure", lambda *_, **__: Estimate(**COST))
    (tmp_path / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(3000)))
    found = plan(
        Recipe(
            tokenizer="byte",
            model="gpt",
            optimizer="muon",
            data=tmp_path / "text.txt",
            training={"budget": "9s"},
            machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        )
    )
    assert found.steps == 900
    assert found.recipe.choice("optimizer").options["lr"] == 0.03
    assert "900 steps" in found.sizing["optimizer"]
