from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import Situation, option, size_learning_rate
from pentad.contracts.situation import DEFAULT_HOLDS, MOST, kaplan

PER_STEP = 8 * 128


@dataclass(frozen=True, kw_only=True)
class Options:
    lr: float = option(0.003, "Learning rate.", gt=0)


def rate(n_parameters: int | None, steps: float, **rule: Any) -> float | None:
    known = {name: rule.pop(name) for name in ("starts_from_run", "open", "tokens") if name in rule}
    situation = {"train_bytes": 1, "tokens": steps * PER_STEP, "n_parameters": n_parameters, "open": frozenset({"lr"}), **known}
    advice = size_learning_rate(Options(), Situation(**situation), **rule)
    return None if advice is None else advice.values["lr"]


def test_the_law_of_size_gives_the_rates_of_its_paper() -> None:
    # Kaplan et al. trained GPT-2's largest size, 1.5e9 parameters, at about 0.0003.
    assert kaplan(1.5e9) == pytest.approx(2.9e-4, rel=0.02)


@pytest.mark.parametrize(
    ("n_parameters", "steps", "best"),
    [(24_600, 220, 0.024), (98_300, 300, 0.014), (98_300, 780, 0.0097), (786_000, 232, 0.0064)],
)
def test_it_is_near_the_best_rates_that_were_measured_with_adamw(n_parameters: int, steps: int, best: float) -> None:
    assert rate(n_parameters, steps) == pytest.approx(best, rel=0.25)


def test_few_steps_long_trainings_and_starts_from_another_run_keep_the_default() -> None:
    assert rate(100_000, 199) is None, "not measured"
    assert rate(100_000, 30_000) is None and rate(1_000_000, 3_000) is None
    assert rate(100_000, 500, starts_from_run=True) is None


def test_large_models_get_less_however_long_and_from_whatever() -> None:
    for more in ({}, {"starts_from_run": True}):
        rates = [rate(n, 1e9, **more) for n in (2_000_000, 10**7, 12 * 10**7, 10**9, 10**11)]
        assert rates == [0.0028, 0.0023, 0.0015, 0.0008, 0.0008]
    assert rate(10**7, 1e9, falls_with_size=False) is None


def test_a_given_rate_and_a_model_without_a_count_keep_theirs() -> None:
    assert rate(100_000, 500, open=frozenset({"beta1"})) is None
    assert rate(None, 500) is None and rate(0, 500) is None


def test_an_unknown_length_raises_nothing() -> None:
    assert rate(100_000, 500, tokens=None) is None
    assert rate(10**7, 500, tokens=None) == 0.0023


@given(st.integers(1, 10**12), st.floats(1, 1e9), st.floats(1.0, 2.0))
def test_more_parameters_or_steps_never_ask_for_a_higher_rate(n_parameters: int, steps: float, factor: float) -> None:
    steps = max(steps, 200.0)
    first = rate(n_parameters, steps) or Options().lr
    assert (rate(round(n_parameters * factor), steps) or Options().lr) <= first * 1.03  # two digits
    assert (rate(n_parameters, steps * factor) or Options().lr) <= first * 1.03
    assert first <= MOST * Options().lr


def test_it_rises_with_the_cube_root_below_what_the_default_holds_for() -> None:
    assert rate(100_000, DEFAULT_HOLDS / 8 / 100_000) == 0.006
    assert rate(100_000, DEFAULT_HOLDS / 8 / 100_000, most=1.5) == 0.0045
