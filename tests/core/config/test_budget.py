"""Budgets: what may be written, and how many steps it pays for."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import UsageError
from pentad.config.budget import Budget
from pentad.testing import raises_code


@pytest.mark.parametrize(
    ("text", "unit", "amount"),
    [
        ("90s", "seconds", 90),
        ("5m", "seconds", 300),
        ("1.5 min", "seconds", 90),
        (" 2H ", "seconds", 7200),
        ("2e15flops", "flops", 2e15),
        ("1E+3FLOPS", "flops", 1000),
        ("50MB", "bytes", 5e7),
        ("3kb", "bytes", 3000),
        ("7b", "bytes", 7),
        ("500steps", "steps", 500),
        ("1 step", "steps", 1),
        ("3epochs", "epochs", 3),
        ("0.5 epoch", "epochs", 0.5),
    ],
)
def test_budgets_that_can_be_read(text, unit, amount):
    assert Budget.parse(text) == Budget(unit, amount)


@pytest.mark.parametrize("text", ["", "90", "s", "-5s", "0s", "1e99flops", "5 weeks", "1..5s", ".s", "nans", "infs", "5s5m"])
def test_budgets_that_cannot(text):
    with raises_code("budget-format") as caught:
        Budget.parse(text)
    assert "--steps" in caught.value.hint


@given(st.text(max_size=12) | st.from_regex(r"[0-9.e+-]{0,6} ?[a-z]{0,5}", fullmatch=True))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(UsageError):
        assert Budget.parse(text).amount > 0


@given(st.floats(1e-3, 1e6), st.sampled_from(["s", "m", "h", "flops", "KB", "MB", "GB"]))
def test_numbers_are_read_as_they_are_written(number, unit):
    assert Budget.parse(f"{number!r}{unit}").amount == pytest.approx(number * Budget.parse(f"1{unit}").amount)


def test_what_a_budget_pays_for():
    price = {"flops_per_step": 1e6, "bytes_per_step": 1000.0, "steps_per_epoch": 12.5}
    assert Budget("steps", 7).steps(**price) == 7
    assert Budget.parse("2.5e6flops").steps(**price) == 2
    assert Budget.parse("4KB").steps(**price) == 4
    assert Budget.parse("1b").steps(**price) == 1  # never nothing
    assert Budget.parse("3epochs").steps(**price) == 38  # every example at least three times
    assert Budget.parse("2epochs").steps(**price) == 25
    assert Budget.parse("9s").steps(**price) is None
