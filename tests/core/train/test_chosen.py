"""Whether a model is compiled on a CPU: where it pays, if it is faster and computes the same, and from start to end.

The compiler is torch's own up to where it would write C++.
"""

from __future__ import annotations

import json

import pytest
import torch
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.aot_autograd import make_boxed_func
from torch._inductor import compile_fx

from pentad import Choice, Recipe, plan, resume, run
from pentad.contracts.observer import RunObserver
from pentad.speed.compiling import EXPECTED, Compiling
from pentad.speed.noted import Speeds
from pentad.testing import raises_code
from pentad.train import chosen


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))


@pytest.fixture
def recipe(text):
    return Recipe(
        tokenizer="byte", builder="next-token", model=Choice("gpt", n_layer=1, n_head=2, n_embd=16, dropout=0.2),
        optimizer="adamw", sampler="greedy", data=text, training={"steps": 6, "batch_size": 4, "context_length": 16},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"}, reporting={"log_every": 1},
    )  # fmt: skip


@pytest.fixture
def graphs(monkeypatch):
    """What is compiled; and every training is long enough for it."""
    found = []

    def compile_fx_stub(graph, inputs):
        found.append(graph)
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr(compile_fx, "compile_fx", compile_fx_stub)
    monkeypatch.setattr(chosen, "compiler_for", lambda device: "g++")
    monkeypatch.setattr(Speeds, "pays_to_compile", lambda self, seconds: self.compiles != "off")
    monkeypatch.setattr(Compiling, "most_operations", lambda self, seconds: 10_000)
    return found


class Plans(RunObserver):
    """Keeps the plans."""

    def __init__(self):
        self.plans = []

    def on_start(self, event):
        self.plans.append(event)


def measures(monkeypatch, found):
    """Let compiling do what is said, whatever it does."""

    def race(trainer, *args, **kwargs):
        if isinstance(found, Exception):
            raise found
        real(trainer, *args, **kwargs)
        return found

    real = chosen.race_compiled
    monkeypatch.setattr(chosen, "race_compiled", race)


def facts(folder):
    return json.loads((folder / "engine.json").read_text())


def losses(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["kind"] == "step"]


def test_a_plan_expects_what_compiling_will_do(recipe, monkeypatch):
    monkeypatch.setattr(torch, "compile", None)  # nothing is tried
    monkeypatch.setattr("pentad.train.sizing.compiler_for", lambda device: "g++")
    of = {name: {"training": {**recipe.to_dict()["training"], "steps": None, "budget": budget, "max_epochs": None}}
          for name, budget in (("short", "60s"), ("day", "24h"))}  # fmt: skip
    machine = recipe.to_dict()["machine"]
    off = {"machine": {**machine, "compile": "off"}}
    assert not plan(recipe.replace(**of["short"])).compiled
    day, plain = plan(recipe.replace(**of["day"])), plan(recipe.replace(**of["day"], **off))
    assert day.compiled and not plain.compiled
    assert day.steps == pytest.approx((86400 - EXPECTED.seconds) / day.seconds_per_step, rel=0.01)
    assert not plan(recipe.replace(**of["day"], machine={**machine, "recompute": True})).compiled
    monkeypatch.setattr("pentad.train.sizing.compiler_for", lambda device: None)
    assert not plan(recipe.replace(**of["day"])).compiled
    monkeypatch.setattr(chosen, "compiler_for", lambda device: None)
    with raises_code("compiler-missing"):
        plan(recipe.replace(machine={**machine, "compile": "on"}))


def test_what_is_faster_is_trained_compiled_and_goes_on_so(recipe, graphs, monkeypatch, tmp_path):
    measures(monkeypatch, Compiling(faster=2.0, seconds=5.0))
    watching = Plans()
    run(recipe, out=tmp_path / "run", observers=[watching])
    assert len(graphs) == 1 and watching.plans[0].compiled
    assert facts(tmp_path / "run")["compiled"] is True and facts(tmp_path / "run")["compiling_seconds"] == 5.0
    run(recipe.replace(machine={**recipe.to_dict()["machine"], "compile": "off"}), out=tmp_path / "plain", observers=[])
    assert losses(tmp_path / "run") == pytest.approx(losses(tmp_path / "plain"), rel=1e-4), "the same elements are dropped"
    torch._dynamo.reset()
    resume(tmp_path / "run", steps=8, observers=[])
    assert len(graphs) == 2 and facts(tmp_path / "run")["compiling_seconds"] == 5.0
    resume(tmp_path / "run", steps=10, observers=[], machine={"compile": "off"})
    assert len(graphs) == 2


@pytest.mark.parametrize(
    ("found", "warned"),
    [(Compiling(faster=1.01, seconds=5.0), False), (None, True), (RuntimeError("no headers"), True)],
)
def test_what_is_not_faster_or_not_right_is_not(recipe, graphs, monkeypatch, tmp_path, found, warned):
    measures(monkeypatch, found)
    watching = Plans()
    run(recipe, out=tmp_path / "run", observers=[watching])
    said = facts(tmp_path / "run")
    assert said["compiled"] is False
    assert said["compiling_seconds"] == 5.0 if isinstance(found, Compiling) else 0 < said["compiling_seconds"] < 60
    assert any("compile" in warning for warning in watching.plans[0].warnings) == warned
    (kept,) = (tmp_path / "cache" / "speed").glob("*.json")
    ((faster, seconds),) = json.loads(kept.read_text())["compiled"]
    assert (faster, seconds) == (1.01 if isinstance(found, Compiling) else 1.0, said["compiling_seconds"]), "it counts later"
    asked = recipe.replace(machine={**recipe.to_dict()["machine"], "compile": "on"})
    if isinstance(found, Exception):
        with raises_code("compiling-failed"):
            run(asked, out=tmp_path / "asked", observers=[])
    else:
        run(asked, out=tmp_path / "asked", observers=[watching])
        assert facts(tmp_path / "asked")["compiled"] is True
        assert any("compile" in warning for warning in watching.plans[1].warnings) == warned


def test_a_run_whose_compiler_fails_later_goes_on_without(recipe, graphs, monkeypatch, tmp_path):
    measures(monkeypatch, Compiling(faster=2.0, seconds=5.0))
    run(recipe, out=tmp_path / "run", observers=[])
    measures(monkeypatch, RuntimeError("no headers"))
    monkeypatch.setattr(compile_fx, "compile_fx", None)  # nor does its first step compile
    watching = Plans()
    torch._dynamo.reset()
    assert resume(tmp_path / "run", steps=8, observers=[watching]).step == 8
    assert not watching.plans[0].compiled and any("compile" in warning for warning in watching.plans[0].warnings)


def test_what_comes_to_another_gradient_later_goes_on_without(recipe, graphs, monkeypatch, tmp_path):
    measures(monkeypatch, Compiling(faster=2.0, seconds=5.0))
    run(recipe, out=tmp_path / "run", observers=[])
    measures(monkeypatch, None)
    watching = Plans()
    torch._dynamo.reset()
    resume(tmp_path / "run", steps=8, observers=[watching])
    assert not watching.plans[0].compiled and any("gradient" in warning for warning in watching.plans[0].warnings)
    assert facts(tmp_path / "run")["compiled"] is False


def test_where_the_compiler_is_gone_a_run_says_so_and_is_compiled_again_when_asked(recipe, graphs, monkeypatch, tmp_path):
    measures(monkeypatch, Compiling(faster=2.0, seconds=5.0))
    run(recipe, out=tmp_path / "run", observers=[])
    watching = Plans()
    monkeypatch.setattr(chosen, "compiler_for", lambda device: None)
    resume(tmp_path / "run", steps=8, observers=[watching])
    assert not watching.plans[0].compiled and any("compiler" in warning for warning in watching.plans[0].warnings)
    monkeypatch.setattr(chosen, "compiler_for", lambda device: "g++")
    resume(tmp_path / "run", steps=10, observers=[watching])
    assert not watching.plans[1].compiled, "as it went last"
    torch._dynamo.reset()
    resume(tmp_path / "run", steps=12, observers=[watching], machine={"compile": "on"})
    assert watching.plans[2].compiled and facts(tmp_path / "run")["compiled"] is True


def test_a_compiler_that_fails_on_the_way_back_leaves_no_gradient(recipe, graphs, monkeypatch, tmp_path):
    def fails(graph, inputs):
        raise OSError(28, "No space left on device")

    both = aot_autograd(fw_compiler=lambda graph, inputs: make_boxed_func(graph.forward), bw_compiler=fails)
    monkeypatch.setattr(compile_fx, "compile_fx", both)
    watching = Plans()
    run(recipe, out=tmp_path / "run", observers=[watching])
    assert any("compile" in warning for warning in watching.plans[0].warnings)
    run(recipe.replace(machine={**recipe.to_dict()["machine"], "compile": "off"}), out=tmp_path / "plain", observers=[])
    assert losses(tmp_path / "run") == losses(tmp_path / "plain")


def test_a_budget_of_time_pays_for_it(recipe, graphs, monkeypatch, tmp_path):
    measures(monkeypatch, Compiling(faster=2.0, seconds=0.5))
    timed = recipe.replace(training={**recipe.to_dict()["training"], "steps": None, "budget": "1.5s", "max_epochs": None})
    result = run(timed, out=tmp_path / "run", observers=[])
    assert 0.9 < result.seconds < 1.4
    assert resume(tmp_path / "run", budget="2s", observers=[]).seconds == pytest.approx(1.5, abs=0.3)


def test_a_gradient_that_is_another_one_is_found(recipe, graphs, monkeypatch, tmp_path):
    def wrong(graph, inputs):
        return lambda *args: [part * 1.5 if part.is_floating_point() else part for part in graph.forward(*args)]

    monkeypatch.setattr(compile_fx, "compile_fx", wrong)
    watching = Plans()
    run(recipe, out=tmp_path / "run", observers=[watching])
    assert facts(tmp_path / "run")["compiled"] is False and any("gradient" in said for said in watching.plans[0].warnings)


def test_a_wrong_gradient_behind_matrices_of_zeros_is_found(recipe, graphs, monkeypatch, tmp_path):
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return -50 * gradient

    def wrong(graph, inputs):
        names = [node.name for node in graph.graph.nodes if node.op == "placeholder"]
        assert any("query" in name for name in names)
        return lambda *args: graph.forward(
            *(Wrong.apply(value) if "query" in name else value for name, value in zip(names, args, strict=True))
        )

    monkeypatch.setattr(compile_fx, "compile_fx", wrong)
    watching = Plans()
    run(recipe, out=tmp_path / "run", observers=[watching])
    assert facts(tmp_path / "run")["compiled"] is False and any("gradient" in said for said in watching.plans[0].warnings)
    run(recipe.replace(machine={**recipe.to_dict()["machine"], "compile": "off"}), out=tmp_path / "plain", observers=[])
    assert losses(tmp_path / "run") == losses(tmp_path / "plain"), "the zeros are zeros again"


def test_examples_of_many_shapes_are_not_compiled(recipe, graphs, tmp_path):
    training = {**recipe.to_dict()["training"], "batch_size": 5, "gradient_accumulation": 2}  # three and two at a time
    run(recipe.replace(training=training), out=tmp_path / "run", observers=[])
    assert not graphs and facts(tmp_path / "run")["compiled"] is False
