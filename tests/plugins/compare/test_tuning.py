"""What is tried when arms are tuned."""

from __future__ import annotations

import pytest

from pentad import Catalogue, Choice, Recipe
from pentad_compare.arms import Arm
from pentad_compare.tuning import Tuning, candidates_of, parse

TUNING = Tuning(options=[parse("optimizer.lr=x0.5,x3,0.01")], seeds=1, budget="")


def rates(recipe, sized=None):
    arm = Arm(label="an arm", settings={}, recipe=recipe, samplers=())
    return [tried.optimizer.options["lr"] for _, tried in candidates_of(arm, TUNING, Catalogue(), sized)]


def test_a_factor_multiplies_what_the_arm_has():
    assert rates(Recipe(optimizer=Choice("adamw", lr=0.002))) == pytest.approx([0.001, 0.006, 0.01])


def test_a_factor_multiplies_what_the_arms_plan_chose():
    recipe = Recipe(optimizer="adamw")
    assert rates(recipe, recipe.replace(optimizer=Choice("adamw", lr=0.02))) == pytest.approx([0.01, 0.06, 0.01])
