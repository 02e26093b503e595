"""Whole runs on a GPU: they learn what a CPU learns, resume bit for bit, and go on elsewhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pentad import Choice, RunObserver, Step, open_run, plan, resume, run
from pentad.system.errors import Interrupted
from pentad.testing import raises_code

GPT = Choice("gpt", n_layer=2, n_head=2, n_embd=32)
EXPERTS = Choice("gpt", n_layer=2, n_head=2, n_embd=32, n_expert=4, n_expert_active=2)
LSTM = Choice("rnn", n_layer=2, n_embd=32, cell="lstm")
GRU = Choice("rnn", n_layer=2, n_embd=32, cell="gru")


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["kind"] == "step"]


def stop_at(step: int) -> RunObserver:
    class Stops(RunObserver):
        def on_step(self, event: Step) -> None:
            if event.step == step:
                os.kill(os.getpid(), signal.SIGTERM)

    return Stops()


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("model", [GPT, EXPERTS, LSTM, GRU], ids=["gpt", "experts", "lstm", "gru"])
def test_a_gpu_learns_what_a_cpu_learns(recipe_of: Any, tmp_path: Path, model: Choice, optimizer: str) -> None:
    for name, device in (("host", "cpu"), ("gpu", "cuda")):
        run(recipe_of(device, model=model, optimizer=optimizer), out=tmp_path / name)
    on_cpu, on_gpu = losses(tmp_path / "host"), losses(tmp_path / "gpu")
    assert on_gpu[0] == pytest.approx(on_cpu[0], rel=1e-4)  # TF32 has 10 bits of mantissa
    assert on_gpu == pytest.approx(on_cpu, rel=2e-2)
    assert on_gpu[-1] < on_gpu[0]


@pytest.mark.parametrize("model", [GPT, LSTM], ids=["gpt", "lstm"])
def test_bf16_learns_what_fp32_learns(recipe_of: Any, tmp_path: Path, model: Choice) -> None:
    for precision in ("fp32", "bf16"):
        run(recipe_of(precision=precision, model=model), out=tmp_path / precision)
    assert losses(tmp_path / "bf16") == pytest.approx(losses(tmp_path / "fp32"), rel=3e-2)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("model", [GPT, LSTM], ids=["gpt", "lstm"])
def test_a_stopped_run_resumes_bit_for_bit(recipe_of: Any, tmp_path: Path, model: Choice, precision: str) -> None:
    recipe = recipe_of(precision=precision, model=Choice(model.name, **model.options, dropout=0.2), optimizer="muon")
    run(recipe, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(recipe, out=tmp_path / "halved", observers=[stop_at(5)])
    resume(tmp_path / "halved")
    assert losses(tmp_path / "halved") == losses(tmp_path / "whole")
    for name in ("model", "optimizer"):
        left, right = (
            (tmp_path / which / "checkpoints" / "step-12" / f"{name}.safetensors").read_bytes() for which in ("whole", "halved")
        )
        assert left == right


def test_a_run_goes_on_and_is_used_on_the_other_device(recipe_of: Any, tmp_path: Path) -> None:
    run(recipe_of("cuda"), out=tmp_path / "run")
    scores = [open_run(tmp_path / "run", device=device).evaluate().bits_per_byte for device in ("cpu", "cuda")]
    assert scores[0] == pytest.approx(scores[1], rel=1e-3)
    texts = [
        open_run(tmp_path / "run", device=device).generate("the ", max_tokens=20, sampler="greedy")[0].text
        for device in ("cpu", "cuda")
    ]
    assert texts[0] == texts[1]
    resume(tmp_path / "run", steps=14, machine={"device": "cpu"})
    assert len(losses(tmp_path / "run")) == 14


def test_micro_batches_give_the_gradient_of_the_whole(recipe_of: Any, tmp_path: Path) -> None:
    for parts in (1, 4):
        run(recipe_of(training={"gradient_accumulation": parts}), out=tmp_path / str(parts))
    assert losses(tmp_path / "4") == pytest.approx(losses(tmp_path / "1"), rel=5e-3)


@pytest.mark.parametrize("parts", [1, 4], ids=["replayed", "micro-batches"])
@pytest.mark.parametrize("model", [GPT, EXPERTS, LSTM], ids=["gpt", "experts", "lstm"])
def test_compiled_learns_what_eager_learns(recipe_of: Any, tmp_path: Path, model: Choice, parts: int) -> None:
    for compiled in ("off", "on"):
        training, evaluation = {"gradient_accumulation": parts}, {"evaluate_every": 0.25}
        recipe = recipe_of(model=model, training=training, evaluation=evaluation, machine={"compile": compiled})
        run(recipe, out=tmp_path / compiled)
    assert losses(tmp_path / "on") == pytest.approx(losses(tmp_path / "off"), rel=1e-2)


@pytest.mark.parametrize("optimizer", ["muon", "schedule-free"])
def test_a_compiled_run_resumes_to_rounding(recipe_of: Any, tmp_path: Path, optimizer: str) -> None:
    """Compiled kernels may add up a gradient in any order (atomically), so that two runs are not equal bit for bit."""
    model = Choice("gpt", **GPT.options, dropout=0.2)
    recipe = recipe_of(model=model, optimizer=optimizer, machine={"compile": "on"}, precision="bf16")
    run(recipe, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(recipe, out=tmp_path / "halved", observers=[stop_at(5)])
    resume(tmp_path / "halved")
    assert losses(tmp_path / "halved") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_plan_says_the_memory_that_is_used(recipe_of: Any, tmp_path: Path, precision: str) -> None:
    model = Choice("gpt", n_layer=4, n_head=4, n_embd=256)
    recipe = recipe_of(precision=precision, model=model, training={"steps": 4, "batch_size": 32, "context_length": 256})
    said = plan(recipe).memory_bytes
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    run(recipe, out=tmp_path / "run")
    assert said == pytest.approx(torch.cuda.max_memory_allocated(), rel=0.1)


def test_what_does_not_fit_is_refused_before_it_is_made(recipe_of: Any) -> None:
    with raises_code("model-too-large"):
        plan(recipe_of(model=Choice("gpt", n_layer=200, n_head=8, n_embd=8192)))
    assert torch.cuda.memory_allocated() < 1 << 30
    with raises_code("batch-too-large"):
        plan(
            recipe_of(
                model=Choice("gpt", n_layer=12, n_head=8, n_embd=1024), training={"batch_size": 1 << 14, "context_length": 1024}
            )
        )
    assert torch.cuda.max_memory_allocated() < 20 << 30  # the model and a row of examples, not all of them


def test_killed_runs_leave_a_checkpoint_to_resume(recipe_of: Any, tmp_path: Path, text: Path) -> None:
    command = [sys.executable, "-m", "pentad_cli", "run", "--data", text, "--tokenizer", "byte", "--model.n-layer", "1"]
    command += ["--model.n-embd", "32", "--model.n-head", "1", "--steps", "100000", "--checkpoint-seconds", "0.2"]
    command += ["--out", tmp_path / "run"]
    child = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not list((tmp_path / "run").glob("checkpoints/step-*[0-9]")):
            assert child.poll() is None
    finally:
        child.kill()
        child.wait()
    saved = open_run(tmp_path / "run")
    assert saved.step > 0
    result = resume(tmp_path / "run", steps=saved.step + 5)
    assert result.step == saved.step + 5
