"""The kernels of a run: the fastest that agree with fp32 are taken, kept, and taken again by a run that is resumed."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch

from pentad import Choice, Recipe, open_run, resume, run
from pentad.config.recipe import TrainingOptions
from pentad.contracts.batch import Tokens
from pentad.inference.net import ModelNet
from pentad.train import kernels, learner
from pentad.train.kernels import Kernels, allowed_seconds, fastest, key_of, note, noted, same_kernels
from pentad.train.trainer import Trainer

TOKENS = Tokens(ids=np.arange(4, dtype=np.uint16), starts=np.array([0]))


@pytest.fixture
def trainer_of(fakes, cpu):
    def make(model):
        rows = np.random.default_rng(0).integers(0, 11, (24, 9))
        options = TrainingOptions(batch_size=8, context_length=8)
        return Trainer(ModelNet(model, cpu), None, fakes.Given(rows), TOKENS, options)

    return make


@pytest.fixture
def slow(fakes):
    """A model that takes 20 ms, unless it is told not to."""

    class Slow(fakes.Summing):
        way = "slow"

        def kernels(self):
            return {"sum": ("slow", "quick", "wrong")}

        def use_kernels(self, chosen):
            self.way = chosen["sum"]

        def forward(self, inputs, state=None, segments=None):
            time.sleep({"slow": 0.02, "quick": 0.005, "wrong": 0.0}[self.way])
            inputs = inputs if self.way != "wrong" else torch.zeros_like(inputs)
            return super().forward(inputs, state, segments)

    return Slow()


def test_the_fastest_is_taken_whose_gradient_agrees(trainer_of, slow, fakes):
    before = {name: tensor.clone() for name, tensor in slow.state_dict().items()}
    found = fastest(trainer_of(slow), lambda _: fakes.sgd(slow), wish="fp32", seconds=1.0, seconds_per_step=0.02)
    assert (found.precision, dict(found.model)) == ("fp32", {"sum": "quick"}) and found.speed > 1.5
    assert slow.way == "slow" and all(parameter.grad is None for parameter in slow.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in slow.state_dict().items())
    assert torch.get_float32_matmul_precision() == "highest"


def test_an_optimizer_is_measured_too(trainer_of, fakes):
    class Lazy(torch.optim.SGD):
        way = "slow"

        def step(self, closure=None):
            time.sleep({"slow": 0.01, "quick": 0.0}[self.way])
            return super().step(closure)

    def make(parameters):
        optimization = fakes.sgd(fakes.Tiny())
        lazy = Lazy([named.parameter for named in parameters], lr=0.1)
        optimization.optimizers = (lazy,)
        optimization.kernels = lambda: {"step": ("slow", "quick")}
        optimization.use_kernels = lambda chosen: setattr(lazy, "way", chosen["step"])
        return optimization

    found = fastest(trainer_of(fakes.Tiny()), make, wish="fp32", seconds=0.5, seconds_per_step=0.01)
    assert dict(found.optimizer) == {"step": "quick"} and found.speed > 1.5


def test_short_trainings_measure_nothing():
    assert allowed_seconds(5) == 0
    assert allowed_seconds(20) == pytest.approx(0.6)
    assert allowed_seconds(1e6) == 3


def test_what_was_found_is_kept_for_the_machine_and_the_model(cpu, tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path))
    found = Kernels(precision="bf16", products="highest", model={"attention": "products"}, speed=1.5)
    key, other = key_of(cpu, "auto", "gpt", 8), key_of(cpu, "auto", "gpt", 9)
    note(key, found)
    assert noted(key) == found and noted(other) is None
    (tmp_path / "kernels" / f"{key}.json").write_text('{"precision": "fp8"}')
    assert noted(key) is None


def test_a_resumed_run_has_the_kernels_that_it_had(cpu):
    recorded = {"machine": kernels.machine_name(cpu), **Kernels(precision="fp32", products="medium").as_json()}
    assert same_kernels(recorded, cpu, "auto").products == "medium"
    assert same_kernels({**recorded, "machine": "another"}, cpu, "auto") == Kernels.usual(cpu)
    assert same_kernels(recorded, cpu, "bf16") == Kernels.usual(cpu)
    assert same_kernels({}, cpu, "auto") == Kernels.usual(cpu)


def test_a_run_computes_by_them_from_start_to_end(tmp_path, text, monkeypatch, cache):
    """Without the choice recorded, the second half would be computed in another way, and the weights differ."""
    chosen = Kernels(
        precision="fp32", products="highest", model={"attention": "products"}, optimizer={"newton_schulz": "bf16"}, speed=2.0
    )
    monkeypatch.setattr(learner, "allowed_seconds", lambda seconds: 1.0)
    monkeypatch.setattr(learner, "fastest", lambda *_, **__: chosen)
    recipe = Recipe(
        tokenizer="byte", builder="next-token", model=Choice("gpt", n_layer=1, n_head=2, n_embd=16), optimizer="muon",
        sampler="greedy", data=text, training={"steps": 6, "batch_size": 4, "context_length": 16},
        machine={"device": "cpu", "threads": 1, "precision": "auto"}, reporting={"log_every": 1},
    )  # fmt: skip
    run(recipe, out=tmp_path / "whole")
    monkeypatch.setattr(learner, "fastest", None)  # noted
    run(recipe, out=tmp_path / "again")
    facts = json.loads((tmp_path / "whole" / "engine.json").read_text())
    assert facts["kernels"]["model"] == {"attention": "products"} and facts["precision"] == "fp32"
    assert open_run(tmp_path / "whole").session.net.machine.precision == "fp32"
    files = [(tmp_path / name / "checkpoints" / "step-6" / "model.safetensors").read_bytes() for name in ("whole", "again")]
    assert files[0] == files[1]
    assert resume(tmp_path / "whole", steps=8).step == 8
