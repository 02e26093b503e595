"""The guard on losses by hand, and in a training that is made to spike."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pentad import (
    Catalogue,
    Choice,
    Implementation,
    Optimization,
    OptimizerOptions,
    Recipe,
    ScaleLearningRate,
    Step,
    StopTraining,
    hookimpl,
    parameter_groups,
    resume,
    run,
)
from pentad.testing import ObserverConformance
from pentad_cli.main import call
from pentad_spike_guard.guard import SpikeGuard
from pentad_spike_guard.options import SpikeGuardOptions


class TestSpikeGuard(ObserverConformance):
    name = "spike-guard"


def told(losses: list[float], watched: str = "", **options: Any) -> dict[int, Any]:
    """Return what the guard asks for, by step."""
    guard = SpikeGuard(SpikeGuardOptions(**options))
    common = {"progress": 0.5, "learning_rate": 1.0, "grad_norm": 1.0, "tokens": 1, "seconds": 1.0}
    more = {"tokens_per_second": 1.0, "remaining": 1.0, "watched": watched}
    answers = {step: guard.on_step(Step(step=step, loss=loss, **common, **more)) for step, loss in enumerate(losses, start=1)}
    return {step: answer for step, answer in answers.items() if answer is not None}


def noisy(steps: int, level: float = 4.0) -> list[float]:
    return [level + 0.1 * ((7 * step) % 11 - 5) / 5 for step in range(steps)]


def test_a_spike_of_several_steps_scales_the_rate_once_and_says_why():
    answers = told([*noisy(40), 9.0, 9.5, 8.0, 6.0, *noisy(20)])
    assert list(answers) == [42]
    assert isinstance(answers[42], ScaleLearningRate) and answers[42].factor == 0.5
    assert "9.500" in answers[42].reason and "42" in answers[42].reason


def test_a_loss_that_says_nothing_is_not_judged():
    assert told([*noisy(40), 9.0, 9.5], watched="reward") == {}


def test_one_odd_example_is_no_spike():
    assert told([*noisy(40), 9.0, *noisy(40)]) == {}
    assert list(told([*noisy(40), 9.0, *noisy(40)], steps=1)) == [41]


def test_a_falling_loss_and_a_noisy_one_are_left_alone():
    assert told([8.0 * 0.97**step for step in range(200)]) == {}
    assert told(noisy(300)) == {}


def test_too_few_losses_are_not_judged():
    assert told([4.0] * 20 + [9.0] * 3, window=50) == {}
    assert list(told([4.0] * 25 + [9.0] * 3, window=50)) == [27]


def test_after_a_reduction_it_waits_and_then_asks_again_and_in_the_end_stops():
    answers = told([*noisy(40), *[9.0] * 60], wait=10, most=2)
    assert {step: type(answer) for step, answer in answers.items()} == {
        42: ScaleLearningRate, 54: ScaleLearningRate, 66: StopTraining, 78: StopTraining, 90: StopTraining
    }  # fmt: skip


def test_a_loss_near_zero_needs_more_than_its_tiny_deviations():
    losses = [loss / 1000 for loss in noisy(40, 500.0)] + [0.52] * 5
    assert told(losses) == {}
    assert list(told(losses, rise=0.0)) == [42]


def test_stops_where_asked():
    answers = told([*noisy(40), 9.0, 9.0], action="stop")
    assert list(answers) == [42] and isinstance(answers[42], StopTraining)


class Spiking(Optimization):
    """Makes the rates a hundred times as high for four steps, half-way."""

    def set_progress(self, share: float, scale: float = 1.0) -> float:
        factor = super().set_progress(share, scale)
        if 0.5 < share < 0.57:
            for group in self.groups():
                group["lr"] *= 100
        return factor


def spiking(options, parameters):
    return Spiking(optimizers=[torch.optim.AdamW(parameter_groups(options, parameters), lr=options.lr)])


@hookimpl
def engine_optimizers():
    return [Implementation(name="spiking", summary="", factory=spiking, options=OptimizerOptions)]


@pytest.fixture(scope="module")
def catalogue():
    import types

    found = Catalogue()
    found._load("acme", "1", lambda: types.SimpleNamespace(engine_optimizers=engine_optimizers))
    return found


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PENTAD_CACHE", str(folder / "cache"))
        yield folder / "text.txt"


def recipe_of(text, steps=60):
    return Recipe(
        tokenizer="byte",
        builder="next-token",
        model=Choice("gpt", n_layer=1, n_head=2, n_embd=16),
        optimizer=Choice("spiking", lr=0.03),
        sampler="greedy",
        data=text,
        training={"steps": steps, "batch_size": 8, "context_length": 16},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
        evaluation={"evaluate_every": 0.0},
        generation={"max_tokens": 2, "samples": 1, "sample_every": 0.0},
        reporting={"log_every": 1},
    )


def watched(text, out, catalogue, **options):
    return run(recipe_of(text), catalogue=catalogue, out=out, observers=[SpikeGuard(SpikeGuardOptions(**options))])


def test_a_training_that_spikes_gets_a_lower_rate_which_stays(text, tmp_path, catalogue):
    result = watched(text, tmp_path / "run", catalogue, window=20)
    steps = {line["step"]: line for line in result.metrics if line["kind"] == "step"}
    assert max(steps[step]["loss"] for step in range(32, 38)) > 1.2 * steps[30]["loss"]
    change = next(line for line in result.metrics if line["kind"] == "change")
    assert 32 <= change["step"] <= 36 and change["lr_scale"] == {"from": 1.0, "to": 0.5} and change["reason"]
    assert [steps[change["step"] + after]["learning_rate"] for after in (0, 1)] == [1.0, 0.5]
    assert result.step == 60 and result.stop_reason == ""
    further = resume(tmp_path / "run", catalogue=catalogue, steps=61, observers=())
    assert further.step == 61
    assert [line["learning_rate"] for line in further.metrics if line["kind"] == "step"][-1] <= 0.5


def test_a_training_that_spikes_is_ended_where_asked(text, tmp_path, catalogue):
    result = watched(text, tmp_path / "run", catalogue, window=20, action="stop")
    assert 32 <= result.step <= 38 and "far above" in result.stop_reason
    assert result.metrics[-1]["stop_reason"] == result.stop_reason


def test_the_flag_and_its_options(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny = ("--tokenizer", "byte", "--batch-size", "4", "--context-length", "16", "--max-tokens", "4", "--threads", "1")
    model = ("--model", "gpt", "--model.n-layer", "1", "--model.n-embd", "16", "--model.n-head", "2", "--log-every", "1")
    guard = ("--observe", "spike-guard", "--spike-guard.window", "5", "--spike-guard.deviations", "1e-9")
    eager = ("--spike-guard.rise", "0", "--spike-guard.steps", "1", "--spike-guard.factor", "0.25")
    code = call(["run", str(text), "--steps", "12", "--out", "run", *tiny, *model, *guard, *eager, "--optimizer.lr", "1e-9"])
    shown = capsys.readouterr().out
    assert code == 0 and "x0.25" in shown and "median" in shown
