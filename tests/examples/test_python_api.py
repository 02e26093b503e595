"""The example over the Python API works."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from pentad import make
from pentad.testing import raises_code

FILE = Path(__file__).parents[2] / "examples" / "python_api.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("python_api_example", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_run_in_five_lines(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    example.whole_run(tmp_path / "run")
    assert "bits per byte after 30 steps" in capsys.readouterr().out
    assert (tmp_path / "run" / "recipe.toml").is_file()
    lines = FILE.read_text(encoding="utf-8").partition("as `engine run` does.")[2].partition("saved =")[0]
    assert len([line for line in lines.splitlines()[1:] if line.strip()]) == 5


def test_the_stages_one_by_one(example: ModuleType) -> None:
    assert example.stage_by_stage() < 1.0


def test_a_stage_that_is_none_is_refused() -> None:
    with raises_code("unknown-stage") as failure:
        make("modle", "gpt")
    assert failure.value.hint == "Did you mean model?"


def test_a_single_stage_checks_its_options() -> None:
    with raises_code("unknown-option"):
        make("model", __import__("pentad").Choice("gpt", n_layers=2), vocab_size=10, context_length=4)
