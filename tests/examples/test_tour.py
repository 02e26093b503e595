"""The notebook runs from top to bottom, and holds no output of an earlier run."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples" / "tour.ipynb"


@pytest.fixture(scope="module")
def cells():
    found = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def execute(source, names):
    """Do what a notebook does with a cell: run it, and return the value of an expression at its end."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names) if last else None


def test_its_cells_run_in_order(cells, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TOUR_STEPS", "3")
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = {"__name__": "__main__"}
    shown = [execute("".join(cell["source"]), names) for cell in cells]
    assert len(shown) >= 7
    assert [type(value).__name__ for value in shown[1:3]] == ["Plan", "RunResult"]
    assert "".join(shown[-2]) == "the cat sat"
    assert "n_layer" in capsys.readouterr().out


def test_it_is_kept_without_output(cells):
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
