"""The single-file plugins of examples/contracts are trained and used through the public door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pentad import (
    Catalogue,
    Choice,
    Evaluation,
    Recipe,
    StopTraining,
    UsageError,
    resume,
    run,
)

FOLDER = Path(__file__).parents[2] / "examples" / "contracts"

CATALOGUES = {name: Catalogue(plugin_files=[FOLDER / f"{name}.py"]) for name in ("early_stopping",)}


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


def test_early_stopping_ends_the_run_with_its_reason(text: Path, tmp_path: Path) -> None:
    offer = CATALOGUES["early_stopping"].find("observer", "early-stopping")
    stopper = offer.make(offer.options(patience=2, least=100.0))
    result = run(recipe_of(text, steps=30, evaluate_every=0.1), out=tmp_path / "run", observers=[stopper])
    # The first of the evaluations at steps 3, 6 and 9 stays the best; the wish holds from the next step on.
    assert result.step == 10 and result.evaluation is not None and result.evaluation.final
    assert result.stop_reason.startswith("bits_per_byte has not improved in 2 evaluations; the best was ")
    (end,) = lines_of(tmp_path / "run", "end")
    assert (end["step"], end["stop_reason"]) == (10, result.stop_reason)
    with pytest.raises(UsageError) as raised:
        resume(tmp_path / "run")
    assert raised.value.code == "run-done"


def test_early_stopping_goes_by_the_direction_of_the_score() -> None:
    offer = CATALOGUES["early_stopping"].find("observer", "early-stopping")
    for lower_is_better, scores in ((True, (3, 2, 1, 2, 2)), (False, (1, 2, 3, 2, 3))):
        stopper = offer.make(offer.options(patience=2))
        answers = [stopper.on_evaluation(_scored(score, lower_is_better)) for score in scores]
        assert answers[:4] == [None] * 4 and isinstance(answers[4], StopTraining)


def _scored(score: float, lower_is_better: bool) -> Evaluation:
    judged = {"n_bytes": 1, "n_tokens": 1, "context_length": 1, "seconds": 0.0}
    scores = {"one": float(score)}
    return Evaluation(step=1, evaluator="e", scores=scores, primary="one", lower_is_better=lower_is_better, **judged)
