"""The kernels of a run: the fastest that agree with fp32 are taken, kept, and taken again by a run that is resumed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from pentad import Choice, Recipe, open_run, plan, resume, run
from pentad.config.kernels import Wish
from pentad.config.tables import TrainingOptions
from pentad.contracts.batch import Tokens
from pentad.contracts.observer import Observers, RunObserver
from pentad.inference.net import ModelNet
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import resolve
from pentad.speed.batches import on_device
from pentad.system.cache import cache_directory
from pentad.testing import raises_code
from pentad.train import assembly, learner
from pentad.train.computing import measuring
from pentad.train.computing.kept import LOOKS
from pentad.train.computing.kernels import Kernels
from pentad.train.computing.measuring import fastest
from pentad.train.trainer import Trainer, loss_of

FP32 = Wish(precision="fp32")
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
    found = fastest(trainer_of(slow), lambda _: fakes.sgd(slow), wish=FP32, seconds=10.0, seconds_per_step=0.02)
    assert (found.precision, dict(found.model)) == ("fp32", {"sum": "quick"}) and found.speed > 1.5
    assert slow.way == "slow" and all(parameter.grad is None for parameter in slow.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in slow.state_dict().items())
    assert torch.get_float32_matmul_precision() == "highest"


def test_what_the_user_decides_is_not_measured(trainer_of, slow, fakes):
    for way in ("slow", "wrong"):
        wish = Wish(precision="fp32", model={"sum": way})
        found = fastest(trainer_of(slow), lambda _: fakes.sgd(slow), wish=wish, seconds=10.0, seconds_per_step=0.02)
        assert dict(found.model) == {"sum": way}


@pytest.mark.parametrize(("steps", "fit", "rows"), [(400, 6, 12), (10, 6, 4), (4, 2, 4), (0.1, 2, 4)])
def test_where_time_is_short_fewer_ways_are_timed_with_enough_examples(cpu, steps, fit, rows):
    ways = [Kernels(precision="bf16", products="highest", model={"sum": str(way)}) for way in range(6)]
    assert measuring._affordable(ways, TrainingOptions(batch_size=12), steps) == (ways[:fit], rows)
    in_parts = TrainingOptions(batch_size=12, gradient_accumulation=6)
    assert measuring._affordable(ways, in_parts, steps)[1] == 2  # what a part has


@pytest.fixture
def lazy(fakes):
    """Makes optimizers that take 10 ms, unless they are told not to; the third way goes up instead of down."""

    class Lazy(torch.optim.SGD):
        way = "slow"

        def step(self, closure=None):
            time.sleep({"slow": 0.01, "quick": 0.003, "wrong": 0.0}[self.way])
            for group in self.param_groups:
                group["maximize"] = self.way == "wrong"
            return super().step(closure)

    def make(parameters):
        optimization = fakes.sgd(fakes.Tiny())
        lazy = Lazy([named.parameter for named in parameters], lr=0.1)
        optimization.optimizers = (lazy,)
        optimization.kernels = lambda: {"step": ("slow", "quick", "wrong")}
        optimization.use_kernels = lambda chosen: setattr(lazy, "way", chosen["step"])
        return optimization

    return make


def test_the_fastest_optimizer_is_taken_whose_update_agrees(trainer_of, lazy, fakes):
    found = fastest(trainer_of(fakes.Tiny()), lazy, wish=FP32, seconds=10.0, seconds_per_step=0.01)
    assert dict(found.optimizer) == {"step": "quick"} and found.speed > 1.5


def test_an_iteration_in_bf16_is_within_the_bound(cache, text):
    """The bound must hold for what ships: Muon's update of a model's own gradient, where small singular values count."""
    seen = []

    class Seeing(measuring._Updating):
        def _updates(self, variants):
            seen.append((dict(variants), super()._updates(variants)))
            return seen[-1][1]

    recipe = Recipe(
        tokenizer="byte", builder="next-token", model=Choice("gpt", n_layer=2, n_head=2, n_embd=32), optimizer="muon",
        sampler="greedy", data=text, training={"steps": 6, "batch_size": 4, "context_length": 32},
        machine={"device": "cpu", "threads": 1, "precision": "fp32"},
    )  # fmt: skip
    catalogue = Catalogue()
    job = assembly.assemble(resolve(recipe, catalogue), catalogue, Observers(()))
    job.trainer.optimization = None
    batch = on_device(job.trainer.build(np.arange(4)), job.machine)
    loss_of(job.trainer.objective, job.trainer.net, batch).total.backward()
    updating = Seeing(job.trainer, lambda named: learner.make_optimization(job.resolved, named), job.model, FP32)
    assert updating.agree({}, {"newton_schulz": "bf16"})
    (_, plain), (chosen, other) = seen
    assert chosen == {"newton_schulz": "bf16"}
    worst = max(float((a - b).norm() / a.norm()) for a, b in zip(plain, other, strict=True) if float(a.norm()))
    assert 1e-3 < worst < measuring.UPDATE_BOUND


@pytest.fixture
def recipe(text):
    return Recipe(
        tokenizer="byte", builder="next-token", model=Choice("gpt", n_layer=1, n_head=2, n_embd=16), optimizer="muon",
        sampler="greedy", data=text, training={"steps": 6, "batch_size": 4, "context_length": 16},
        machine={"device": "cpu", "threads": 1, "precision": "auto"}, reporting={"log_every": 1},
    )  # fmt: skip


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Lets short trainings measure, which choose what the test says."""
    found = []
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(learner, "allowed_seconds", lambda *_: 1.0)
    monkeypatch.setattr(learner, "fastest", lambda *_, wish, **__: found[-1].under(wish))
    return found


CHOSEN = Kernels(
    precision="fp32", products="highest", model={"attention": "products"}, optimizer={"newton_schulz": "bf16"}, speed=2.0
)


def test_a_run_computes_by_them_from_start_to_end(tmp_path, recipe, monkeypatch, measured):
    """Without the choice recorded, the second half would be computed in another way, and the weights differ."""
    measured.append(CHOSEN)
    for _ in range(LOOKS - 1):
        plan(recipe)
    run(recipe, out=tmp_path / "whole")
    monkeypatch.setattr(learner, "fastest", None)  # noted
    run(recipe, out=tmp_path / "again")
    facts = json.loads((tmp_path / "whole" / "engine.json").read_text())
    assert facts["kernels"]["model"] == {"attention": "products"} and facts["precision"] == "fp32"
    assert open_run(tmp_path / "whole").session.net.machine.precision == "fp32"
    files = [(tmp_path / name / "checkpoints" / "step-6" / "model.safetensors").read_bytes() for name in ("whole", "again")]
    assert files[0] == files[1]
    resumed = []
    assert resume(tmp_path / "whole", steps=8, observers=[Watching(resumed)]).step == 8
    assert resumed[0].precision == "fp32" and "attention" in resumed[0].kernels
    assert json.loads((tmp_path / "whole" / "engine.json").read_text()) == facts


class Watching(RunObserver):
    """Keeps the plan."""

    def __init__(self, plans):
        self.plans = plans

    def on_start(self, event):
        self.plans.append(event)


def test_a_run_that_goes_on_on_another_machine_chooses_anew_and_says_so(tmp_path, recipe, measured):
    measured.append(CHOSEN)
    run(recipe, out=tmp_path / "run")
    file = tmp_path / "run" / "engine.json"
    before = json.loads(file.read_text())
    here = before["kernels"]["machine"]
    before["kernels"]["machine"] = "cpu Another Processor 9000, AVX2, no bf16"
    file.write_text(json.dumps(before))
    shutil.rmtree(cache_directory() / "kernels")
    measured.append(Kernels(precision="fp32", products="medium", speed=1.5))
    plans = []
    options = {"kernels": ["newton_schulz=bf16"]}  # what the user decides holds there too
    resume(tmp_path / "run", steps=8, observers=[Watching(plans)], machine=options)
    after = json.loads(file.read_text())
    assert plans[0].precision == "fp32" and any("Another Processor" in warning for warning in plans[0].warnings)
    assert (after["kernels"]["machine"], after["kernels"]["products"]) == (here, "medium")
    assert (after["kernels"]["model"], after["kernels"]["optimizer"]) == ({}, {"newton_schulz": "bf16"})
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    (change,) = [line["computing"]["kernels"] for line in lines if line["kind"] == "change" and "computing" in line]
    assert change["from"]["machine"].startswith("cpu Another") and change["to"] == after["kernels"]
    measured.clear()
    plans.clear()
    resume(tmp_path / "run", steps=9, observers=[Watching(plans)])  # here it is at home now
    assert not any("Another Processor" in warning for warning in plans[0].warnings)
    assert json.loads(file.read_text()) == after


def test_without_measuring_the_user_decides_all_the_same(recipe, cache):
    machine = {"device": "cpu", "precision": "fp32", "kernels": ["attention=products", "newton_schulz=bf16", "matmul=medium"]}
    assert "attention by products" in plan(recipe.replace(machine=machine)).kernels
    assert torch.get_float32_matmul_precision() == "medium"
    with raises_code("kernel-unknown"):
        plan(recipe.replace(machine={"kernels": ["convolution=winograd"]}, data="no/such/text"))  # before it is looked for


LIMITED = """
import sys
from pentad import Recipe, run
from pentad.train import learner
learner.allowed_seconds = lambda *_: 0.5
run(Recipe.from_dict(__import__("json").loads(sys.argv[1])), out=sys.argv[2], observers=())
"""


def test_a_processor_with_fewer_instructions_trains_as_well(tmp_path, recipe, measured):
    """The path of an AVX2 processor, whatever is here: its kernels are chosen, in fp32, and the losses are the usual ones."""
    measured.append(Kernels(precision="fp32", products="highest"))
    recipe = recipe.replace(training={"steps": 10, "batch_size": 4, "context_length": 16})
    run(recipe.replace(machine={**recipe.to_dict()["machine"], "precision": "fp32"}), out=tmp_path / "usual", observers=())
    limits = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "PENTAD_CACHE": str(tmp_path / "limited-cache")}
    command = [sys.executable, "-c", LIMITED, json.dumps(recipe.to_dict()), str(tmp_path / "limited")]
    subprocess.run(command, env={**os.environ, **limits}, check=True)
    facts = json.loads((tmp_path / "limited" / "engine.json").read_text())
    (kept,) = [json.loads(path.read_text()) for path in (tmp_path / "limited-cache" / "kernels").glob("*.json")]
    assert (
        kept["found"] == [{"seconds": 0.5, **{name: facts["kernels"][name] for name in kept["found"][0] if name != "seconds"}}]
        and facts["precision"] == "fp32"
        and kept["machine"] == facts["kernels"]["machine"]
        and kept["machine"].endswith("no bf16")
    )
    losses = {}
    for name in ("usual", "limited"):
        lines = map(json.loads, (tmp_path / name / "metrics.jsonl").read_text().splitlines())
        losses[name] = [line["loss"] for line in lines if line["kind"] == "step"]
    assert len(losses["limited"]) == 10 and losses["limited"] == pytest.approx(losses["usual"], rel=1e-3)
