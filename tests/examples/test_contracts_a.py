"""The single-file plugins of examples/contracts are trained and used through the public door."""

from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pentad import (
    Catalogue,
    Choice,
    EngineError,
    Evaluation,
    NamedParameter,
    Recipe,
    RunObserver,
    Step,
    StopTraining,
    UsageError,
    open_run,
    plan,
    resume,
    run,
)
from pentad.testing import ModelConformance, OptimizerConformance

FOLDER = Path(__file__).parents[2] / "examples" / "contracts"

CATALOGUES = {name: Catalogue(plugin_files=[FOLDER / f"{name}.py"]) for name in ("early_stopping", "ngram", "schedule_free")}


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    return path


def recipe_of(text: Path, steps: int = 8, evaluate_every: float = 0.25, **changes: Any) -> Recipe:
    """Return the recipe of a run of milliseconds, on one thread in fp32."""
    model = Choice("gpt", n_layer=1, n_head=2, n_embd=8)
    stages = {"tokenizer": "byte", "builder": "next-token", "model": model, "optimizer": "adamw", "sampler": "temperature"}
    return Recipe(
        **{**stages, **changes},
        data=text,
        training={"steps": steps, "batch_size": 8, "context_length": 16},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        evaluation={"evaluate_every": evaluate_every},
        generation={"max_tokens": 8, "samples": 2, "prompt": "1 c"},
        reporting={"log_every": 1, "keep_checkpoints": 3},
    )


def lines_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Return the lines of one kind in a run's metrics."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def test_early_stopping_ends_the_run_with_its_reason(text: Path, tmp_path: Path) -> None:
    offer = CATALOGUES["early_stopping"].find("observer", "early-stopping")
    stopper = offer.make(offer.options(patience=2, least=100.0))
    result = run(recipe_of(text, steps=30, evaluate_every=0.1), out=tmp_path / "run", observers=[stopper])
    # The first of the evaluations at steps 3, 6 and 9 stays the best; the wish holds from the next step on.
    assert result.step == 10 and result.evaluation is not None and result.evaluation.final
    assert result.stop_reason.startswith("bits_per_byte has not improved in 2 evaluations; the best was ")
    (end,) = lines_of(tmp_path / "run", "end")
    assert (end["step"], end["stop_reason"]) == (10, result.stop_reason)
    with pytest.raises(UsageError) as raised:
        resume(tmp_path / "run")
    assert raised.value.code == "run-done"


def test_early_stopping_goes_by_the_direction_of_the_score() -> None:
    offer = CATALOGUES["early_stopping"].find("observer", "early-stopping")
    for lower_is_better, scores in ((True, (3, 2, 1, 2, 2)), (False, (1, 2, 3, 2, 3))):
        stopper = offer.make(offer.options(patience=2))
        answers = [stopper.on_evaluation(_scored(score, lower_is_better)) for score in scores]
        assert answers[:4] == [None] * 4 and isinstance(answers[4], StopTraining)


def _scored(score: float, lower_is_better: bool) -> Evaluation:
    judged = {"n_bytes": 1, "n_tokens": 1, "context_length": 1, "seconds": 0.0}
    scores = {"one": float(score)}
    return Evaluation(step=1, evaluator="e", scores=scores, primary="one", lower_is_better=lower_is_better, **judged)


class TestNgram(ModelConformance):
    implementation = CATALOGUES["ngram"].find("model", "ngram").record


def test_ngram_is_counted_opened_and_writes(text: Path, tmp_path: Path) -> None:
    catalogue, recipe = CATALOGUES["ngram"], recipe_of(text, model=Choice("ngram", order=3), steps=10)
    assert not plan(recipe, catalogue=catalogue).parameters
    result = run(recipe, catalogue=catalogue, out=tmp_path / "run")
    assert result.evaluation is not None and result.evaluation.loss < 0.6 * math.log(257)
    opened = open_run(tmp_path / "run", catalogue=catalogue)
    assert len(opened.model.keys) == len(opened.model.counts) > 100
    assert opened.evaluate().scores == result.evaluation.scores
    samples = opened.generate("1 c", max_tokens=8, samples=2)
    assert [len(sample.tokens) > 0 for sample in samples] == [True, True]


def test_ngram_predicts_what_it_has_counted() -> None:
    offer = CATALOGUES["ngram"].find("model", "ngram")
    model = offer.make(offer.options(order=2), vocab_size=4, context_length=8)
    row = torch.tensor([[0, 1, 0, 1, 0, 2]])
    model.learn_by_counting(row[:, :-1], row[:, 1:], None)
    found = model.logits(model(torch.tensor([[0]])).features)[0, 0].exp()
    # 1 was seen twice after 0 and 2 once; alone, 1 was seen twice of five times, 0 twice, 2 once.
    alone = (torch.tensor([2.0, 2.0, 1.0, 0.0]) + 3 * 0.25) / (5 + 3)
    assert torch.allclose(found, (torch.tensor([0.0, 2.0, 1.0, 0.0]) + 2 * alone) / (3 + 2))


def test_ngram_refuses_more_than_fits_into_a_key() -> None:
    offer = CATALOGUES["ngram"].find("model", "ngram")
    with pytest.raises(UsageError) as raised:
        offer.make(offer.options(order=4), vocab_size=100_000, context_length=8)
    assert raised.value.code == "ngram-too-many"


class TestScheduleFree(OptimizerConformance):
    implementation = CATALOGUES["schedule_free"].find("optimizer", "schedule-free").record


class Stopping(RunObserver):
    """Stops the run as Ctrl-C does, after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, event: Step) -> None:
        if event.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def test_schedule_free_is_resumed_bit_for_bit(text: Path, tmp_path: Path) -> None:
    catalogue, recipe = CATALOGUES["schedule_free"], recipe_of(text, optimizer=Choice("schedule-free", lr=0.01))
    whole = run(recipe, catalogue=catalogue, out=tmp_path / "whole")
    with pytest.raises(EngineError) as raised:
        run(recipe, catalogue=catalogue, out=tmp_path / "cut", observers=[Stopping(3)])
    assert raised.value.code == "interrupted"
    assert not (tmp_path / "cut" / "checkpoints" / "step-8").exists()
    resumed = resume(tmp_path / "cut", catalogue=catalogue)
    assert whole.evaluation is not None and resumed.evaluation is not None
    assert resumed.evaluation.scores == whole.evaluation.scores
    for name in ("model", "optimizer"):
        paths = (tmp_path / folder / "checkpoints" / "step-8" / f"{name}.safetensors" for folder in ("whole", "cut"))
        one, two = map(load_file, paths)
        assert one.keys() == two.keys() and all(torch.equal(tensor, two[key]) for key, tensor in one.items())


def test_schedule_free_saves_and_judges_the_mean_of_its_weights(text: Path, tmp_path: Path) -> None:
    catalogue, recipe = CATALOGUES["schedule_free"], recipe_of(text, optimizer=Choice("schedule-free", lr=0.01))
    result = run(recipe, catalogue=catalogue, out=tmp_path / "run")
    place = tmp_path / "run" / "checkpoints" / "step-8"
    saved, state = load_file(place / "model.safetensors"), load_file(place / "optimizer.safetensors")
    means = sorted(tensor.double().sum().item() for key, tensor in state.items() if key.endswith("/x"))
    assert means == sorted(tensor.double().sum().item() for tensor in saved.values())
    training = {key.removeprefix("weights/"): tensor for key, tensor in state.items() if key.startswith("weights/")}
    assert training.keys() == saved.keys()
    assert not any(torch.equal(tensor, saved[name]) for name, tensor in training.items())
    assert result.evaluation is not None
    assert open_run(tmp_path / "run", catalogue=catalogue).evaluate().scores == result.evaluation.scores


def test_schedule_free_mean_weighs_each_step_by_its_rate_squared() -> None:
    offer = CATALOGUES["schedule_free"].find("optimizer", "schedule-free")
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimization = offer.make(
        offer.options(lr=0.1, weight_decay=0.0), [NamedParameter(name="p", role="vector", parameter=parameter)]
    )
    (optimizer,), seen, weights = optimization.optimizers, [], []
    for number in range(4):
        optimizer.param_groups[0]["lr"] = 0.1 * (number + 1)
        parameter.grad = torch.tensor([1.0, number - 1.0])
        optimizer.step()
        seen.append(optimizer.state[parameter]["z"].clone())
        weights.append((number + 1.0) ** 2)
    mean = sum(weight * z for weight, z in zip(weights, seen, strict=True)) / sum(weights)
    with optimization.evaluating():
        assert torch.allclose(parameter, mean, atol=1e-6)
    assert torch.allclose(parameter, 0.1 * seen[-1] + 0.9 * mean, atol=1e-6)
