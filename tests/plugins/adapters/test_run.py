"""Adapted runs through the public door: what their checkpoints hold, resumed, merged and started from."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pentad import Choice, RunObserver, Step, open_run, resume, run
from pentad.testing import raises_code
from pentad.tools import Interrupted

pytestmark = pytest.mark.usefixtures("one_cache")

Adapted = Callable[..., list[Step]]


@pytest.fixture
def adapted(base_run: Path, small_recipe: Any, noted_steps: Any) -> Adapted:
    """Return a function that trains an adapted run, and returns its steps."""

    def train(data: Path, out: Path, steps: int = 12, **changes: Any) -> list[Step]:
        observer = noted_steps()
        stages = {"model": "gpt", "optimizer": Choice("adamw", lr=0.01), "adapter": Choice("lora", rank=4), "start": base_run}
        run(small_recipe(data, steps, **{**stages, **changes}), out=out, observers=[observer])
        steps_done: list[Step] = observer.steps
        return steps_done

    return train


@pytest.fixture(scope="module")
def other_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "other.txt"
    path.write_text("".join(f"{number} dogs ran to {number * 5 % 11}!\n\n" for number in range(60)))
    return path


def test_lora_learns_beside_a_frozen_model_and_its_checkpoint_holds_no_more(
    adapted: Adapted, base_run: Path, other_text: Path, tmp_path: Path
) -> None:
    steps = adapted(other_text, tmp_path / "lora")
    assert steps[-1].loss < steps[0].loss
    saved = load_file(tmp_path / "lora" / "checkpoints" / "step-12" / "model.safetensors")
    assert saved
    assert all(".parametrizations." in name for name in saved)
    found = open_run(tmp_path / "lora")
    before = open_run(base_run).model.state_dict()
    own = found.model.state_dict()
    assert torch.equal(own["head.weight"], before["head.weight"])
    assert found.generate("1 c", max_tokens=4)[0].tokens
    score = found.evaluate().scores["bits_per_byte"]
    last = json.loads((tmp_path / "lora" / "metrics.jsonl").read_text().splitlines()[-2])
    assert score == pytest.approx(last["bits_per_byte"], rel=1e-5)
    unadapted = open_run(tmp_path / "lora", adapted=False).model.state_dict()
    assert unadapted.keys() == before.keys()
    assert all(torch.equal(unadapted[name], before[name]) for name in before)


def test_a_run_without_an_adapter_has_none_to_leave_out(base_run: Path) -> None:
    with raises_code("adapter-missing"):
        open_run(base_run, adapted=False)


def test_lora_is_resumed_without_its_base(
    adapted: Adapted, base_run: Path, small_recipe: Any, other_text: Path, tmp_path: Path
) -> None:
    class Stop(RunObserver):
        def on_step(self, step: Step) -> None:
            if step.step == 2:
                os.kill(os.getpid(), signal.SIGINT)

    copy = tmp_path / "base"
    shutil.copytree(base_run, copy)
    adapted(other_text, tmp_path / "whole", steps=5, start=copy)
    recipe = small_recipe(
        other_text, 5, model="gpt", optimizer=Choice("adamw", lr=0.01), adapter=Choice("lora", rank=4), start=copy
    )
    with pytest.raises(Interrupted):
        run(recipe, out=tmp_path / "stopped", observers=[Stop()])
    shutil.rmtree(copy)
    resume(tmp_path / "stopped")
    one, other = (load_file(tmp_path / name / "checkpoints" / "step-5" / "model.safetensors") for name in ("whole", "stopped"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_may_start_from_an_adapted_one_which_is_merged(
    adapted: Adapted, base_run: Path, small_recipe: Any, other_text: Path, tmp_path: Path
) -> None:
    adapted(other_text, tmp_path / "lora")
    run(small_recipe(other_text, 1, model="gpt", start=tmp_path / "lora"), out=tmp_path / "next")
    merged = load_file(tmp_path / "next" / "start" / "model.safetensors")
    before = open_run(base_run).model.state_dict()
    assert merged.keys() == before.keys()
    assert not torch.equal(merged["layers.0.mlp.up.weight"], before["layers.0.mlp.up.weight"])
    assert torch.equal(merged["head.weight"], before["head.weight"])


def test_an_adapter_needs_a_run_to_start_from(adapted: Adapted, other_text: Path, tmp_path: Path) -> None:
    with raises_code("adapter-without-start"):
        adapted(other_text, tmp_path / "lora", start=None, model=Choice("gpt", n_layer=1, n_head=2, n_embd=16, ngram_order=0))


def test_a_soft_prompt_is_all_that_its_run_keeps_and_it_generates_with_it(
    adapted: Adapted, small_recipe: Any, other_text: Path, tmp_path: Path
) -> None:
    steps = adapted(other_text, tmp_path / "soft", steps=10, adapter=Choice("soft-prompt", length=4))
    assert steps[-1].loss < steps[0].loss
    saved = load_file(tmp_path / "soft" / "checkpoints" / "step-10" / "model.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in saved.items()} == {"soft_prompt.weight": (4, 16)}
    found = open_run(tmp_path / "soft")
    assert found.model.context_length == found.recipe.training.context_length
    assert found.generate("1 d", max_tokens=40)[0].tokens
    with_vectors = found.evaluate().score
    with torch.no_grad():
        found.model.get_parameter("soft_prompt.weight").zero_()
    assert found.evaluate().score != pytest.approx(with_vectors, abs=1e-3)
    with raises_code("not-mergeable"):
        run(small_recipe(other_text, 1, model="gpt", start=tmp_path / "soft"), out=tmp_path / "next")
