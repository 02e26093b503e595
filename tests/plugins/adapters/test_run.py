"""Adapted runs through the public door: what their checkpoints hold, resumed, merged and started from."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pentad import Choice, Recipe, RunObserver, Step, open_run, resume, run
from pentad.testing import raises_code
from pentad.tools import Interrupted


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


class Steps(RunObserver):
    """Keeps what the steps gave."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def on_step(self, step: Step) -> None:
        self.steps.append(step)


def adapted(base: Path, data: Path, out: Path, steps: int = 12, **changes: Any) -> list[Step]:
    observer = Steps()
    stages = {"model": "gpt", "optimizer": Choice("adamw", lr=0.01), "adapter": Choice("lora", rank=4), "start": base}
    recipe = recipe_of(data, steps, **{**stages, **changes})
    run(recipe, out=out, observers=[observer])
    return observer.steps


@pytest.fixture(scope="module")
def other_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "other.txt"
    path.write_text("".join(f"{number} dogs ran to {number * 5 % 11}!\n\n" for number in range(60)))
    return path


def test_lora_learns_beside_a_frozen_model_and_its_checkpoint_holds_no_more(
    base: Path, other_text: Path, tmp_path: Path
) -> None:
    steps = adapted(base, other_text, tmp_path / "lora")
    assert steps[-1].loss < steps[0].loss
    saved = load_file(tmp_path / "lora" / "checkpoints" / "step-12" / "model.safetensors")
    assert saved
    assert all(".parametrizations." in name for name in saved)
    found = open_run(tmp_path / "lora")
    before = open_run(base).model.state_dict()
    own = found.model.state_dict()
    assert torch.equal(own["head.weight"], before["head.weight"])
    assert found.generate("1 c", max_tokens=4)[0].tokens
    score = found.evaluate().scores["bits_per_byte"]
    last = json.loads((tmp_path / "lora" / "metrics.jsonl").read_text().splitlines()[-2])
    assert score == pytest.approx(last["bits_per_byte"], rel=1e-5)


def test_lora_is_resumed_without_its_base(base: Path, other_text: Path, tmp_path: Path) -> None:
    class Stop(RunObserver):
        def on_step(self, step: Step) -> None:
            if step.step == 2:
                os.kill(os.getpid(), signal.SIGINT)

    copy = tmp_path / "base"
    shutil.copytree(base, copy)
    adapted(copy, other_text, tmp_path / "whole", steps=5)
    recipe = recipe_of(
        other_text, 5, model="gpt", optimizer=Choice("adamw", lr=0.01), adapter=Choice("lora", rank=4), start=copy
    )
    with pytest.raises(Interrupted):
        run(recipe, out=tmp_path / "stopped", observers=[Stop()])
    shutil.rmtree(copy)
    resume(tmp_path / "stopped")
    one, other = (load_file(tmp_path / name / "checkpoints" / "step-5" / "model.safetensors") for name in ("whole", "stopped"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_may_start_from_an_adapted_one_which_is_merged(base: Path, other_text: Path, tmp_path: Path) -> None:
    adapted(base, other_text, tmp_path / "lora")
    run(recipe_of(other_text, 1, model="gpt", start=tmp_path / "lora"), out=tmp_path / "next")
    merged = load_file(tmp_path / "next" / "start" / "model.safetensors")
    before = open_run(base).model.state_dict()
    assert merged.keys() == before.keys()
    assert not torch.equal(merged["layers.0.mlp.up.weight"], before["layers.0.mlp.up.weight"])
    assert torch.equal(merged["head.weight"], before["head.weight"])


def test_an_adapter_needs_a_run_to_start_from(other_text: Path, tmp_path: Path) -> None:
    with raises_code("adapter-without-start"):
        adapted(tmp_path, other_text, tmp_path / "lora", start=None, model=Choice("gpt", n_layer=1, n_head=2, n_embd=16))
