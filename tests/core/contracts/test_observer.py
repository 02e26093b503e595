"""Observers hear every event; one that raises is reported once and left out."""

from __future__ import annotations

import json
import os
import signal

import pytest

from pentad import Choice, RateScaled, RunObserver, ScaleLearningRate, StopTraining, open_run, resume, run
from pentad.contracts.observer import Observers, Preparation, Saved
from pentad.system.json_lines import read_lines
from pentad.testing import raises_code


class Listener(RunObserver):
    def __init__(self):
        self.heard = []

    def on_preparation(self, event):
        self.heard.append(event.what)


class Broken(Listener):
    def on_preparation(self, event):
        super().on_preparation(event)
        raise RuntimeError("no network\nand a long story")


def test_a_raising_observer_is_reported_once_and_left_out():
    before, broken, after = Listener(), Broken(), Listener()
    observers = Observers([before, broken, after])
    told = r"Broken raised in on_preparation and is left out .*: RuntimeError: no network \(.*test_observer.py, line \d+\)$"
    with pytest.warns(UserWarning, match=told):
        observers.on_preparation(Preparation(what="one"))
    observers.on_preparation(Preparation(what="two"))
    assert (before.heard, broken.heard, after.heard) == (["one", "two"], ["one"], ["one", "two"])


def test_ctrl_c_in_an_observer_is_no_fault_of_it():
    class Stopped(RunObserver):
        def on_checkpoint(self, event):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Observers([Stopped()]).on_checkpoint(Saved(step=1, path=None))  # type: ignore[arg-type]


def test_every_event_is_passed_on():
    methods = [name for name in dir(RunObserver) if name.startswith("on_")]
    heard = []
    listener = type("All", (RunObserver,), {name: (lambda self, event, name=name: heard.append(name)) for name in methods})()
    for name in methods:
        getattr(Observers([listener]), name)(None)
    assert heard == methods and len(methods) == 8


class Asks(RunObserver):
    def __init__(self, answers):
        self.answers, self.events = answers, []

    def on_step(self, event):
        self.events.append(event)
        return self.answers.get(event.step)


def test_an_observer_ends_a_training_and_the_reason_stays(cache, text, tmp_path, tiny_recipe):
    asks = Asks({3: StopTraining(reason="the loss is low enough")})
    result = run(tiny_recipe(text, steps=20), out=tmp_path / "run", observers=[asks])
    assert (result.step, result.stop_reason) == (4, "the loss is low enough")
    assert result.bits_per_byte is not None and result.samples
    last = read_lines(tmp_path / "run" / "metrics.jsonl")[-1]
    assert (last["kind"], last["step"], last["stop_reason"]) == ("end", 4, "the loss is low enough")
    with raises_code("run-done"):
        resume(tmp_path / "run")
    assert resume(tmp_path / "run", steps=6).step == 6


def test_an_observer_scales_the_learning_rate_also_after_a_resume(cache, text, tmp_path, tiny_recipe):
    recipe = tiny_recipe(text, steps=8, optimizer=Choice("adamw", schedule="constant", warmup_ratio=0.0))
    asks = Asks({2: ScaleLearningRate(factor=0.5), 4: ScaleLearningRate(factor=0.5, reason="it jumps")})
    scaled = []
    asks.on_rate_scaled = scaled.append
    result = run(recipe, out=tmp_path / "run", observers=[asks])
    assert scaled[1] == RateScaled(step=4, before=0.5, after=0.25, reason="it jumps")
    recorded = [(line["step"], line["lr_scale"], line["reason"]) for line in result.metrics if line["kind"] == "change"]
    assert (
        recorded == [(event.step, {"from": event.before, "to": event.after}, event.reason) for event in scaled]
        and recorded[0][2]
    )
    assert [event.learning_rate for event in asks.events] == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    later = Asks({})
    resume(tmp_path / "run", steps=9, observers=[later])
    assert [event.learning_rate for event in later.events] == [0.25]


def test_a_result_is_short_holds_its_metrics_and_draws_them(cache, text, tmp_path, tiny_recipe):
    listener = Asks({})
    plans = []
    listener.on_start = plans.append
    result = run(tiny_recipe(text, steps=3, reporting={"log_every": 1}), out=tmp_path / "run", observers=[listener])
    assert [line["step"] for line in result.metrics if line["kind"] == "step"] == [1, 2, 3]
    assert "training loss" in result.plot() and result._repr_svg_().startswith("<svg")
    shown = [repr(thing) for thing in (result, result.evaluation, result.samples[0], plans[0], open_run(result.folder))]
    assert [text.partition(" ")[0].rstrip(":") for text in shown] == [
        "<RunResult", "<Evaluation", "<Sample", "<Plan", "<SavedRun",
    ]  # fmt: skip
    assert all(len(text) < 100 + len(str(result.folder)) and "\n" not in text for text in shown)


def test_what_was_asked_for_at_the_last_checkpoint_is_in_it_and_later_is_asked_anew(cache, text, tmp_path, tiny_recipe):
    recipe = tiny_recipe(text, steps=8, optimizer=Choice("adamw", schedule="constant", warmup_ratio=0.0))

    class Cut(Asks):
        def on_step(self, event):
            if event.step == 4:
                os.kill(os.getpid(), signal.SIGINT)
            return super().on_step(event)

    with raises_code("interrupted"):  # the checkpoint is of step 5: the signal is heeded at the next one
        run(recipe, out=tmp_path / "run", observers=[Cut({5: ScaleLearningRate(factor=0.5)})])
    later = Asks({})
    result = resume(tmp_path / "run", observers=[later])
    assert [event.learning_rate for event in later.events] == [0.5, 0.5, 0.5]
    assert [line["step"] for line in result.metrics if line["kind"] == "change"] == [5]


def test_a_scaling_after_the_checkpoint_is_dropped_with_the_steps_after_it(cache, text, tmp_path, tiny_recipe):
    recipe = tiny_recipe(text, steps=4)
    run(recipe, out=tmp_path / "run", observers=[Asks({2: ScaleLearningRate(factor=0.5)})])
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"kind": "change", "step": 5, "lr_scale": {"from": 0.5, "to": 0.25}, "reason": "late"}) + "\n")
    result = resume(tmp_path / "run", steps=6, observers=())
    assert [line["step"] for line in result.metrics if line["kind"] == "change"] == [2]
