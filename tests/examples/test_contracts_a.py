"""The single-file plugins of examples/contracts are trained and used through the public door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pentad import Catalogue, Choice, Recipe, open_run, plan, run
from pentad.testing import ExampleBuilderConformance

FOLDER = Path(__file__).parents[2] / "examples" / "contracts"

CATALOGUES = {name: Catalogue(plugin_files=[FOLDER / f"{name}.py"]) for name in ("masked",)}


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    return path


def recipe_of(text: Path, steps: int = 8, evaluate_every: float = 0.25, **changes: Any) -> Recipe:
    """Return the recipe of a run of milliseconds, on one thread in fp32."""
    model = Choice("gpt", n_layer=1, n_head=2, n_embd=8)
    stages = {"tokenizer": "byte", "builder": "next-token", "model": model, "optimizer": "adamw", "sampler": "temperature"}
    return Recipe(
        **{**stages, **changes},
        data=text,
        training={"steps": steps, "batch_size": 8, "context_length": 16},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        evaluation={"evaluate_every": evaluate_every},
        generation={"max_tokens": 8, "samples": 2, "prompt": "1 c"},
        reporting={"log_every": 1, "keep_checkpoints": 3},
    )


def lines_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Return the lines of one kind in a run's metrics."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


class TestMaskedBuilder(ExampleBuilderConformance):
    implementation = CATALOGUES["masked"].find("builder", "masked").record


def test_masked_run_has_a_score_of_its_own_and_writes_no_texts(text: Path, tmp_path: Path) -> None:
    catalogue, recipe = CATALOGUES["masked"], recipe_of(text, builder="masked", steps=30, optimizer=Choice("adamw", lr=0.02))
    assert any("it writes no texts" in warning for warning in plan(recipe, catalogue=catalogue).warnings)
    result = run(recipe, catalogue=catalogue, out=tmp_path / "run")
    assert result.evaluation is not None and not result.samples
    assert (result.evaluation.evaluator, result.evaluation.primary) == ("masked-accuracy", "masked_accuracy")
    assert not result.evaluation.lower_is_better and result.evaluation.n_tokens > 10
    written = lines_of(tmp_path / "run", "evaluation")
    assert written[-1]["masked_accuracy"] == result.evaluation.score > 0
    again = open_run(tmp_path / "run", catalogue=catalogue).evaluate()
    assert again.scores == result.evaluation.scores
