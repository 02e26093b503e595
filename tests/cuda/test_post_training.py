"""Tuning on a GPU: from an earlier run, with adapters, by preferences, on talks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pentad import Choice, open_run, run

TALKS = [
    {"messages": [{"role": "user", "content": f"What is {n}?"}, {"role": "assistant", "content": f"It is {n}."}]}
    for n in range(200)
]
PAIRS = [{"prompt": f"the cat {n} ", "chosen": "sat on the mat", "rejected": "sat in the bin"} for n in range(200)]


@pytest.fixture(scope="module")
def base(recipe_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("base") / "run"
    run(recipe_of(training={"steps": 40, "context_length": 64}), out=folder)
    return folder


def written(folder: Path, records: list[Any]) -> Path:
    path = folder / "records.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return path


@pytest.mark.parametrize("adapter", [None, "lora", "freeze"])
def test_talks_are_learned(recipe_of: Any, base: Path, tmp_path: Path, adapter: str | None) -> None:
    more = {"adapter": Choice(adapter)} if adapter else {}
    recipe = recipe_of(
        start={"run": str(base)},
        builder="chat",
        data=written(tmp_path, TALKS),
        training={"steps": 20, "context_length": 64},
        **more,
    )
    result = run(recipe, out=tmp_path / "run")
    assert result.step == 20
    assert open_run(tmp_path / "run").generate("Hello", max_tokens=8)[0].text is not None


def test_preferences_begin_at_ln_2(recipe_of: Any, base: Path, tmp_path: Path) -> None:
    recipe = recipe_of(
        start={"run": str(base)}, builder="dpo", data=written(tmp_path, PAIRS), training={"steps": 20, "context_length": 64}
    )
    run(recipe, out=tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    found = [line["loss"] for line in lines if "loss" in line]
    assert found[0] == pytest.approx(0.6931, abs=2e-3)
    assert found[-1] < found[0]
