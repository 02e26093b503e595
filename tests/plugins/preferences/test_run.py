"""Runs that learn preferences, through the public door."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pentad import Choice, Recipe, RunObserver, Step, open_run, resume, run
from pentad.testing import raises_code


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def recipe_of(data: Path, steps: int, **changes: Any) -> Recipe:
    model = Choice("gpt", n_layer=1, n_head=2, n_embd=16)
    stages = {"tokenizer": "byte", "builder": "next-token", "model": model, "optimizer": "adamw", "sampler": "temperature"}
    return Recipe(
        **{**stages, **changes},
        data=data,
        training={"steps": steps, "batch_size": 8, "context_length": 32, "gradient_accumulation": 2},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        reporting={"log_every": 1},
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, cache: Any) -> Path:
    folder = tmp_path_factory.mktemp("base")
    (folder / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    recipe = recipe_of(folder / "text.txt", 20, model=Choice("gpt", n_layer=1, n_head=2, n_embd=16, dropout=0.3))
    return run(recipe, out=folder / "run").folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    lines = [{"prompt": f"{n} cats", "chosen": " sat well.", "rejected": " ran off."} for n in range(30)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


class Steps(RunObserver):
    """Keeps what the steps gave."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def on_step(self, step: Step) -> None:
        self.steps.append(step)


def prefer(base: Path, pairs: Path, out: Path, steps: int = 12) -> list[Step]:
    observer = Steps()
    recipe = recipe_of(
        pairs, steps, builder=Choice("dpo", template="plain"), model="gpt", optimizer=Choice("adamw", lr=0.01), start=base
    )
    run(recipe, out=out, observers=[observer])
    return observer.steps


def test_dpo_starts_at_ln_2_and_learns_to_prefer(base: Path, pairs: Path, tmp_path: Path) -> None:
    steps = prefer(base, pairs, tmp_path / "dpo")
    assert steps[0].loss == pytest.approx(math.log(2), abs=1e-5)
    assert steps[0].metrics["preference-margin"] == pytest.approx(0, abs=1e-4)
    assert steps[-1].metrics["preference-accuracy"] == 1.0
    assert steps[-1].loss < 0.5
    score = open_run(tmp_path / "dpo").evaluate()
    assert (score.primary, score.lower_is_better, score.score) == ("preference_accuracy", False, 1.0)


def test_dpo_keeps_its_reference_when_it_is_resumed(base: Path, pairs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dpo"
    observer = Steps()
    copy = tmp_path / "base"
    shutil.copytree(base, copy)
    steps = prefer(copy, pairs, folder, steps=6)
    shutil.rmtree(copy)
    resume(folder, steps=9, observers=[observer])
    # Against itself as reference the loss would be ln 2 again.
    assert observer.steps[0].loss < steps[-1].loss + 0.05
    kept, trained = load_file(folder / "start" / "model.safetensors"), open_run(folder).model.state_dict()
    assert not torch.equal(kept["head.weight"], trained["head.weight"])


def test_dpo_needs_a_run_to_start_from(pairs: Path, tmp_path: Path) -> None:
    with raises_code("reference-missing"):
        run(recipe_of(pairs, 2, builder=Choice("dpo", template="plain")), out=tmp_path / "dpo")
