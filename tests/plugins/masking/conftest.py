"""Texts of ids, and small trained runs that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pentad import Choice, Recipe, RunResult, Tokens, run

END = 9


def text(*tokens: int) -> Tokens:
    return Tokens.of(np.array(tokens, dtype=np.uint16), END)


@pytest.fixture(autouse=True, scope="package")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="package")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., RunResult]:
    """Return a function that trains a tiny model on sentences."""
    folder = tmp_path_factory.mktemp("runs")
    data = folder / "text.txt"
    data.write_text("".join(f"The {n % 7} cats saw {n % 5} dogs.\n" for n in range(300)))

    def made(builder: Choice, model: Choice, **generation: Any) -> RunResult:
        recipe = Recipe(
            tokenizer="byte",
            builder=builder,
            model=model,
            optimizer=Choice("adamw", lr=0.01),
            sampler="temperature",
            data=data,
            training={"steps": 12, "batch_size": 8, "context_length": 32},
            machine={"device": "cpu", "threads": 1, "precision": "fp32", "compile": "off"},
            evaluation={"evaluate_every": 0.5},
            generation={"max_tokens": 24, "sample_every": 0.0, **generation},
        )
        return run(recipe, out=folder / builder.name / model.name, observers=())

    return made
