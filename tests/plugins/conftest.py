"""A small trained run that others start from, for the tests of what comes after pretraining."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pentad import Choice, Recipe, RunObserver, Step, run


@pytest.fixture(scope="session")
def one_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache for all runs of these tests, so that equal texts are cut and encoded once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def small_recipe() -> Callable[..., Recipe]:
    """Return a function that makes the recipe of a small run: `small_recipe(data, steps, **changes)`."""

    def make(data: Path, steps: int, **changes: Any) -> Recipe:
        model = Choice("gpt", n_layer=1, n_head=2, n_embd=16, ngram_order=0)
        stages = {"tokenizer": "byte", "builder": "next-token", "model": model, "optimizer": "adamw", "sampler": "temperature"}
        return Recipe(
            **{**stages, **changes},
            data=data,
            training={"steps": steps, "batch_size": 8, "context_length": 32, "gradient_accumulation": 2},
            machine={"device": "cpu", "threads": 1, "precision": "fp32"},
            generation={"max_tokens": 8},
            reporting={"log_every": 1},
        )

    return make


@pytest.fixture(scope="session")
def base_run(tmp_path_factory: pytest.TempPathFactory, one_cache: None, small_recipe: Callable[..., Recipe]) -> Path:
    """Return the folder of a run of 20 steps on a text of 60 short documents."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    recipe = small_recipe(
        folder / "text.txt", 20, model=Choice("gpt", n_layer=1, n_head=2, n_embd=16, dropout=0.3, ngram_order=0)
    )
    return run(recipe, out=folder / "run").folder


class _Steps(RunObserver):
    def __init__(self) -> None:
        self.steps: list[Step] = []

    def on_step(self, step: Step) -> None:
        self.steps.append(step)


@pytest.fixture
def noted_steps() -> Callable[[], _Steps]:
    """Return an observer that keeps what the steps gave, as `steps`."""
    return _Steps
