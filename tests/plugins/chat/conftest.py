"""A small run that learned conversations, and the run that it started from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pentad import Choice, Recipe, run


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def recipe_of(data: Path, steps: int, **changes: Any) -> Recipe:
    stages = {
        "tokenizer": "byte",
        "builder": "next-token",
        "model": Choice("gpt", n_layer=1, n_head=2, n_embd=16),
        "optimizer": Choice("adamw", lr=0.02, weight_decay=0.0),
        "sampler": "greedy",
    }
    return Recipe(
        **{**stages, **changes},
        data=data,
        training={"steps": steps, "batch_size": 8, "context_length": 48},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        generation={"max_tokens": 4, "samples": 1},
    )


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, cache: None) -> Path:
    folder = tmp_path_factory.mktemp("base")
    (folder / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    return run(recipe_of(folder / "text.txt", 20), out=folder / "run").folder


@pytest.fixture(scope="session")
def talker(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talker")
    data = write(folder / "talks.jsonl", [{"prompt": f"{n}?", "completion": "cats."} for n in range(40)])
    return run(recipe_of(data, 60, builder="chat", model="gpt", start=base), out=folder / "run").folder
