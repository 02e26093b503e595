"""Every bench runs and gives figures; how large they are is no test's business."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BENCHES = {"startup", "training", "overhead", "tokenizers", "generation", "quality", "studio", "watching", "plan", "cuda"}

KEYS = {"bench", "name", "value", "unit", "wall", "cpu", "against", "ratio", "cpu_ratio", "note"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "deep" / "results.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--threads", "1", "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text()), done.stdout


def test_every_bench_gives_rows(measured):
    results, _ = measured
    assert {row["bench"] for row in results["rows"]} == BENCHES


def test_rows_have_their_keys_and_positive_figures(measured):
    results, _ = measured
    for row in results["rows"]:
        assert set(row) == KEYS
        if row["value"] is None:
            assert row["note"], f"{row['name']} has no figure and does not say why"
            continue
        figures = [row["value"], row["wall"], row["cpu"]]
        figures += [value for ratio in (row["ratio"], row["cpu_ratio"]) if ratio for value in ratio.values()]
        assert all(math.isfinite(figure) and figure > 0 for figure in figures if figure is not None), row


def test_what_can_be_compared_is(measured):
    results, _ = measured
    compared = [row for row in results["rows"] if row["against"]]
    assert {"training", "overhead", "generation"} <= {row["bench"] for row in compared}
    assert all(row["ratio"]["low"] <= row["ratio"]["median"] <= row["ratio"]["high"] for row in compared)


def test_the_machine_is_named(measured):
    results, shown = measured
    assert {"date", "cpu", "cores", "threads", "python", "torch", "load"} == set(results["machine"])
    assert results["machine"]["threads"] == 1
    assert results["machine"]["cpu"] in shown.splitlines()[0]


def test_the_table_shows_every_row(measured):
    results, shown = measured
    for row in results["rows"]:
        assert f"{row['bench']}: {row['name']}" in shown


def test_unknown_bench_is_refused():
    command = [sys.executable, "-m", "benchmarks", "--only", "coffee"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "startup" in done.stderr
