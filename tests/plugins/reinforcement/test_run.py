"""Runs that learn from rewards, through the public door."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pentad import Choice, Recipe, RunObserver, RunResult, Step, open_run, resume, run
from pentad.testing import raises_code


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def recipe_of(data: Path, steps: int, **changes: Any) -> Recipe:
    stages = {
        "tokenizer": "byte",
        "builder": "chat",
        "model": Choice("gpt", n_layer=1, n_head=2, n_embd=16),
        "optimizer": Choice("adamw", lr=0.02, weight_decay=0.0),
        "sampler": "greedy",
    }
    return Recipe(
        **{**stages, **changes},
        data=data,
        training={"steps": steps, "batch_size": 8, "context_length": 24, "seed": 2},
        machine={"device": "cpu", "threads": 1, "precision": "fp32", "compile": "off"},
        generation={"max_tokens": 4, "samples": 1, "sample_every": 0.5},
        reporting={"log_every": 1},
    )


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tasks") / "tasks.jsonl"
    lines = [{"prompt": f"{n}", "completion": "b", "reward": "exact"} for n in range(40)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talks") / "talks.jsonl"
    lines = [{"prompt": f"{n}", "completion": "aab"[n % 3]} for n in range(60)]  # mostly wrong
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def talker(talks: Path, tmp_path_factory: pytest.TempPathFactory, cache: Any) -> Path:
    return run(recipe_of(talks, 20), out=tmp_path_factory.mktemp("talker") / "run").folder


class Steps(RunObserver):
    def __init__(self) -> None:
        self.steps: list[Step] = []

    def on_step(self, event: Step) -> None:
        self.steps.append(event)


def reinforce(tasks: Path, start: Path, out: Path, steps: int, **options: Any) -> tuple[list[Step], RunResult]:
    observer = Steps()
    builder = Choice("grpo", **{"answers": 6, "max_tokens": 4, **options})
    optimizer = Choice("adamw", lr=0.01, schedule="constant", warmup_ratio=0.0)
    recipe = recipe_of(tasks, steps, builder=builder, model="gpt", optimizer=optimizer, start=start)
    return observer.steps, run(recipe, out=out, observers=[observer])


@pytest.fixture(scope="module")
def learned(tasks: Path, talker: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Step], RunResult]:
    return reinforce(tasks, talker, tmp_path_factory.mktemp("grpo") / "run", 14, beta=0.04, updates=2)


def weights(folder: Path) -> torch.Tensor:
    model = open_run(folder, device="cpu").model
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_held_out_tasks_are_answered_better_than_before(
    learned: tuple[list[Step], RunResult], talker: Path, tasks: Path
) -> None:
    steps, result = learned
    before = open_run(talker, device="cpu").evaluate([str(tasks)], evaluator="task-accuracy").score
    assert result.evaluation is not None and result.evaluation.primary == "task_accuracy"
    assert before < 0.2 and result.evaluation.score == 1.0  # at first it guesses
    assert sum(step.metrics["reward"] for step in steps[-4:]) > sum(step.metrics["reward"] for step in steps[:4])
    assert {step.watched for step in steps} == {"reward"}


def test_reward_divergence_length_and_samples_are_logged(learned: tuple[list[Step], RunResult]) -> None:
    _, result = learned
    lines = [line for line in result.metrics if line["kind"] == "step"]
    assert len(lines) == 14
    assert all({"reward", "kl", "completion-length", "clipped"} <= line["metrics"].keys() for line in lines)
    assert all(line["metrics"]["kl"] >= 0 for line in lines) and lines[-1]["metrics"]["kl"] > 0.1
    samples = [json.loads(line) for line in (result.folder / "samples.jsonl").read_text().splitlines()]
    assert [sample["step"] for sample in samples] == [7, 14]
    assert all(sample["prompt"].startswith("<|user|>") and sample["prompt"].endswith("<|assistant|>") for sample in samples)


def test_it_starts_from_the_reference_and_moves_away(tasks: Path, talker: Path, tmp_path: Path) -> None:
    steps, _ = reinforce(tasks, talker, tmp_path / "run", 3, beta=0.04)
    first, second, _ = (step.metrics["kl"] for step in steps)
    assert first == pytest.approx(0, abs=1e-6) and second > 1e-4


def test_a_run_that_was_stopped_goes_on_bit_for_bit(
    learned: tuple[list[Step], RunResult], tasks: Path, talker: Path, tmp_path: Path
) -> None:
    steps, result = learned
    observer = Steps()
    reinforce(tasks, talker, tmp_path / "run", 9, beta=0.04, updates=2)
    resume(tmp_path / "run", steps=14, observers=[observer])
    assert [step.metrics for step in observer.steps] == [step.metrics for step in steps[9:]]
    assert torch.equal(weights(tmp_path / "run"), weights(result.folder))


def test_equal_rewards_move_nothing_not_even_by_momentum(talker: Path, tmp_path: Path) -> None:
    data = tmp_path / "right.jsonl"
    data.write_text("".join(json.dumps({"prompt": f"{n}", "completion": "", "reward": "prefix"}) + "\n" for n in range(30)))
    with raises_code("answer-missing"):
        reinforce(data, talker, tmp_path / "run", 2)
    lines = [{"prompt": f"{n}", "completion": "\u2603", "reward": "exact"} for n in range(30)]  # nobody finds a snowman
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    steps, result = reinforce(data, talker, tmp_path / "snow", 3)
    assert [(step.metrics["reward"], step.grad_norm) for step in steps] == [(0.0, 0.0)] * 3
    assert torch.equal(weights(result.folder), weights(talker))


def test_a_divergence_needs_a_run_to_start_from(tasks: Path, tmp_path: Path) -> None:
    with raises_code("reference-missing"):
        run(recipe_of(tasks, 2, builder=Choice("grpo", beta=0.1)), out=tmp_path / "run")
