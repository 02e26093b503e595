from __future__ import annotations

import io
from pathlib import Path

import pytest

from pentad import RateSweep
from pentad_cli.terminal.rates import rate_axis, sweep_lines


def sweep(**changes):
    rates = [10 ** (-5 + 0.1 * step) for step in range(50)]
    losses = [6 - 3 / (1 + (1e-3 / rate) ** 2) for rate in rates]
    known = {"lr": 0.01, "suggested": 0.001, "reason": "there it is", "diverged": True, "planned_steps": 1200, "seconds": 8.0}
    return RateSweep(rates=rates, losses=losses, smoothed=losses, **{**known, **changes})


def shown(**changes):
    return sweep_lines(sweep(**changes), io.StringIO())


def test_fits_into_80_columns_and_names_the_flag(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    lines = shown()
    assert max(map(len, lines)) <= 80
    text = " ".join(lines)
    assert "--optimizer.lr 0.001" in text and "there it is" in text and "0.79" in text


@pytest.mark.parametrize("columns", ["30", "50", "80"])
def test_fits_into_narrow_terminals(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    chart = [line for line in shown() if "|" in line or "+" in line]
    assert chart and max(map(len, chart)) <= int(columns)


def test_marks_the_suggestion_and_nothing_where_there_is_none():
    assert sum(line.count("o") for line in shown() if "|" in line) == 1
    lines = shown(suggested=None, reason="it is flat")
    assert not any("o" in line for line in lines if "|" in line)
    assert any("it is flat" in line for line in lines)


def test_without_the_option_it_is_a_multiple():
    assert "--optimizer.lr" not in " ".join(shown(lr=None))


def test_says_where_the_curve_is_saved():
    text = " ".join(sweep_lines(sweep(), io.StringIO(), saved_to=Path("there")))
    assert str(Path("there") / "learning-rates.json") in text


def test_the_axis_has_a_mark_at_each_power_of_ten():
    marks, labels = rate_axis(1e-3, 1e1, 48)
    assert marks.count("┴") == 5
    assert labels.split() == ["0.001", "0.01", "0.1", "1", "10"]
    assert marks.index("┴") == 8
