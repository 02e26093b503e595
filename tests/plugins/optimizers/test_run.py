"""Each optimizer in real trainings: it learns, resumes bit for bit, and schedule-free saves and judges its mean."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pentad import Choice, EngineError, Recipe, RunObserver, Step, open_run, resume, run

SHARED = {"average": 0.3, "cautious_weight_decay": True, "weight_decay_schedule": "lr"}

CHOICES = [
    Choice("soap", every=2),
    *map(Choice, ("adafactor", "lion", "normuon", "schedule-free", "sgd")),
    Choice("muon", newton_schulz="polar-express", ns_steps=3, **SHARED),
    Choice("adamw", **SHARED),
]

STEPS = 8
"""The run is cut after 4."""


@pytest.fixture(autouse=True, scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(folder / "cache"))
        yield folder / "text.txt"


def recipe_of(text: Path, optimizer: Choice) -> Recipe:
    return Recipe(
        tokenizer="byte",
        builder="next-token",
        model=Choice("gpt", n_layer=1, n_head=2, n_embd=8, ngram_order=0),
        optimizer=optimizer,
        sampler="greedy",
        data=text,
        training={"steps": STEPS, "batch_size": 4, "context_length": 16},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        evaluation={"evaluate_every": 0.0},
        generation={"max_tokens": 2, "samples": 1, "prompt": "1 c", "sample_every": 0.0},
        reporting={"log_every": 1},
    )


class Interrupting(RunObserver):
    """Stops the run half-way, as Ctrl-C does."""

    def on_step(self, event: Step) -> None:
        if event.step == STEPS // 2:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("optimizer", CHOICES, ids=lambda choice: choice.name)
def test_is_resumed_bit_for_bit(optimizer, text, tmp_path):
    recipe = recipe_of(text, optimizer)
    whole = run(recipe, out=tmp_path / "whole", observers=())
    losses = [line["loss"] for line in whole.metrics if line["kind"] == "step"]
    with pytest.raises(EngineError) as raised:
        run(recipe, out=tmp_path / "cut", observers=[Interrupting()])
    assert raised.value.code == "interrupted"
    assert not (tmp_path / "cut" / "checkpoints" / f"step-{STEPS}").exists()
    resumed = resume(tmp_path / "cut", observers=())
    assert [line["loss"] for line in resumed.metrics if line["kind"] == "step"] == losses
    for part in ("model", "optimizer"):
        one, two = (
            load_file(tmp_path / folder / "checkpoints" / f"step-{STEPS}" / f"{part}.safetensors")
            for folder in ("whole", "cut")
        )
        assert one and one.keys() == two.keys() and all(torch.equal(tensor, two[key]) for key, tensor in one.items())


def test_schedule_free_saves_and_judges_the_mean_of_its_weights(text, tmp_path):
    result = run(recipe_of(text, Choice("schedule-free", lr=0.01)), out=tmp_path / "run", observers=())
    place = tmp_path / "run" / "checkpoints" / f"step-{STEPS}"
    saved, state = load_file(place / "model.safetensors"), load_file(place / "optimizer.safetensors")
    training = {key.removeprefix("weights/"): tensor for key, tensor in state.items() if key.startswith("weights/")}
    assert training.keys() == saved.keys()
    assert not any(torch.equal(tensor, saved[name]) for name, tensor in training.items())
    # x = y + (z - y) (1 - 1 / beta1), summed over all parameters
    end, mean, own = (
        sum(tensor.double().sum().item() for tensor in tensors)
        for tensors in ([value for key, value in state.items() if key.endswith("/z")], saved.values(), training.values())
    )
    assert mean == pytest.approx(own + (end - own) * (1 - 1 / 0.9), abs=1e-3)
    assert result.evaluation is not None
    assert open_run(tmp_path / "run").evaluate().scores == result.evaluation.scores
    rates = [line["learning_rate"] for line in result.metrics if line["kind"] == "step"]
    assert rates == [1.0] * STEPS  # constant unless asked otherwise


@pytest.fixture(scope="module")
def averaged(text, tmp_path_factory):
    """A run that keeps an average, and its result."""
    place = tmp_path_factory.mktemp("averaged") / "run"
    recipe = recipe_of(text, Choice("muon", average=0.5, weight_decay=0.0))
    return place, run(recipe, out=place, observers=())


def test_an_average_is_judged_and_saved_beside_the_weights(averaged):
    place, result = averaged
    checkpoint = place / "checkpoints" / f"step-{STEPS}"
    saved, state = load_file(checkpoint / "model.safetensors"), load_file(checkpoint / "optimizer.safetensors")
    training = {key.removeprefix("weights/"): tensor for key, tensor in state.items() if key.startswith("weights/")}
    assert training.keys() == saved.keys()
    assert not any(torch.equal(tensor, saved[name]) for name, tensor in training.items())
    means = [tensor for key, tensor in state.items() if key.endswith("/average")]
    assert sum(mean.double().sum().item() for mean in means) == pytest.approx(
        sum(tensor.double().sum().item() for tensor in saved.values())
    )
    assert result.evaluation is not None
    opened = open_run(place)
    assert opened.evaluate().scores == result.evaluation.scores


def test_an_average_can_begin_and_end_where_a_run_goes_on(averaged, text, tmp_path):
    # The state of a run without one is whole; one that is no longer wanted is no error.
    run(recipe_of(text, Choice("muon")), out=tmp_path / "plain", observers=())
    for place, average in ((tmp_path / "plain", 0.5), (averaged[0], 0.0)):
        resumed = resume(place, steps=STEPS + 2, optimizer={"average": average}, observers=())
        assert resumed.step == STEPS + 2
        saved = load_file(place / "checkpoints" / f"step-{STEPS + 2}" / "optimizer.safetensors")
        assert any(key.startswith("weights/") for key in saved) == bool(average)
