"""Runs that learn preferences, through the public door."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pentad import Choice, Step, open_run, resume, run
from pentad.testing import raises_code

pytestmark = pytest.mark.usefixtures("one_cache")

Prefer = Callable[..., list[Step]]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    lines = [{"prompt": f"{n} cats", "chosen": " sat well.", "rejected": " ran off."} for n in range(30)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def prefer(base_run: Path, pairs: Path, small_recipe: Any, noted_steps: Any) -> Prefer:
    """Return a function that trains a run on preferences, and returns its steps."""

    def train(out: Path, steps: int = 12, start: Path = base_run) -> list[Step]:
        observer = noted_steps()
        stages = {"builder": Choice("dpo", template="plain"), "model": "gpt", "optimizer": Choice("adamw", lr=0.01)}
        run(small_recipe(pairs, steps, **stages, start=start), out=out, observers=[observer])
        steps_done: list[Step] = observer.steps
        return steps_done

    return train


def test_dpo_starts_at_ln_2_and_learns_to_prefer(prefer: Prefer, tmp_path: Path) -> None:
    steps = prefer(tmp_path / "dpo")
    assert steps[0].loss == pytest.approx(math.log(2), abs=1e-5)
    assert steps[0].metrics["preference-margin"] == pytest.approx(0, abs=1e-4)
    assert steps[-1].metrics["preference-accuracy"] == 1.0
    assert steps[-1].loss < 0.5
    score = open_run(tmp_path / "dpo").evaluate()
    assert (score.primary, score.lower_is_better, score.score) == ("preference_accuracy", False, 1.0)


def test_dpo_keeps_its_reference_when_it_is_resumed(prefer: Prefer, base_run: Path, noted_steps: Any, tmp_path: Path) -> None:
    folder = tmp_path / "dpo"
    observer = noted_steps()
    copy = tmp_path / "base"
    shutil.copytree(base_run, copy)
    steps = prefer(folder, steps=6, start=copy)
    shutil.rmtree(copy)
    resume(folder, steps=9, observers=[observer])
    # Against itself as reference the loss would be ln 2 again.
    assert observer.steps[0].loss < steps[-1].loss + 0.05
    kept, trained = load_file(folder / "start" / "model.safetensors"), open_run(folder).model.state_dict()
    assert not torch.equal(kept["head.weight"], trained["head.weight"])


def test_dpo_needs_a_run_to_start_from(small_recipe: Any, pairs: Path, tmp_path: Path) -> None:
    with raises_code("reference-missing"):
        run(small_recipe(pairs, 2, builder=Choice("dpo", template="plain")), out=tmp_path / "dpo")
