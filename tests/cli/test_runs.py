"""`engine runs`: listed, shown, and removed after asking."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Result

Cli = Callable[..., Result]


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """Two copies of a run, of which one says that it started from the other."""
    for name in ("one", "two"):
        shutil.copytree(trained, tmp_path / "runs" / name)
    engine = tmp_path / "runs" / "two" / "engine.json"
    facts = json.loads(engine.read_text())
    engine.write_text(json.dumps({**facts, "start": {"run": str(tmp_path / "runs" / "one"), "step": 6}}))
    return tmp_path / "runs"


def test_runs_are_listed(cli: Cli, runs: Path) -> None:
    found = json.loads(cli("runs", "--json").out)
    assert {Path(run["path"]).name for run in found} == {"one", "two"}
    assert all(run["done"] and run["step"] == 6 and "bits_per_byte" in run["scores"] for run in found)
    assert found == json.loads(cli("runs", "list", "runs", "--json").out)
    shown = " ".join(cli("runs", "list").out.split())
    assert "runs/one" in shown and "started from" in shown and "2 runs" in shown
    assert cli("runs", "list", "nowhere").error == "folder-missing"
    assert cli("runs", "lst").error == "unknown-command"


def test_a_run_is_shown_with_where_it_comes_from(cli: Cli, runs: Path) -> None:
    shown = " ".join(cli("runs", "show", "runs/two").out.split())
    assert "from runs/one, step 6" in shown and "bits per byte" in shown and "n_embd=16" in shown
    record = json.loads(cli("runs", "show", "runs/one", "--json").out)
    assert record["chain"] == [] and [Path(path).name for path in record["started_from_it"]] == ["two"]
    assert record["bytes"]["checkpoints"] > 0 and record["recipe"]["model"]["n_embd"] == 16
    assert cli("runs", "show", "runs").error == "not-a-run"


def test_a_run_is_removed_where_nobody_needs_to_be_asked(cli: Cli, runs: Path) -> None:
    assert cli("runs", "remove", "runs/one").error == "confirmation-missing"
    assert (runs / "one").exists()
    removed = json.loads(cli("runs", "remove", "runs/one", "--yes", "--json").out)["removed"]
    assert [Path(entry["run"]).name for entry in removed] == ["one"] and removed[0]["bytes"] > 0
    assert not (runs / "one").exists()
    assert "no longer there" in " ".join(cli("runs", "show", "runs/two").out.split())
    assert cli("runs", "remove", "runs/one", "--yes").error == "not-a-run"
    assert cli("runs", "remove", "runs/two", "--yes").code == 0
    assert "There are no runs" in cli("runs").out
