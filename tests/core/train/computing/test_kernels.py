"""The kernels of a run: named by what there is, and taken again by a run that is resumed."""

from __future__ import annotations

import dataclasses

import pytest

from pentad.config.kernels import Wish
from pentad.config.tables import MachineOptions
from pentad.system.machine import machine_name
from pentad.testing import raises_code
from pentad.train.computing.kernels import Kernels, allowed_seconds, same_kernels


def test_short_trainings_measure_nothing():
    assert allowed_seconds(5) == 0
    assert allowed_seconds(20) == pytest.approx(0.6)
    assert allowed_seconds(1e6) == 3
    assert allowed_seconds(1e6, seconds_per_step=1.0) == 8 and allowed_seconds(100, seconds_per_step=1.0) == 3


def test_a_resumed_run_has_the_kernels_that_it_had(cpu):
    recorded = {"machine": machine_name(cpu), **Kernels(precision="fp32", products="medium").as_json()}
    assert same_kernels(recorded, cpu, Wish()).products == "medium"
    assert same_kernels({**recorded, "machine": "another"}, cpu, Wish()) is None
    decided = same_kernels(recorded, cpu, Wish(precision="bf16", model={"attention": "products"}))
    assert (decided.precision, decided.products, dict(decided.model)) == ("bf16", "medium", {"attention": "products"})
    assert same_kernels({}, cpu, Wish()) == Kernels.usual(cpu)


def test_a_model_is_told_what_was_measured_or_decided_and_else_nothing(cpu, fakes):
    class Listening(fakes.Tiny):
        told = None

        def kernels(self):
            return {"attention": ("torch", "products"), "norm": ("plain", "fused")}

        def use_kernels(self, chosen):
            self.told = chosen

    model, usual = Listening(), Kernels.usual(cpu)
    usual.tell(model)
    assert model.told is None
    Kernels.usual(cpu, Wish(model={"norm": "fused"})).tell(model)
    assert model.told == {"attention": "torch", "norm": "fused"}
    dataclasses.replace(usual, measured=True).tell(model)
    assert model.told == {"attention": "torch", "norm": "plain"}
    without = {name: value for name, value in usual.as_json().items() if name != "measured"}
    assert Kernels.of_json(without).measured, "runs from before are computed as they were"


def test_kernels_are_named_by_what_there_is():
    offered = {"attention": ("torch", "products")}, {"newton_schulz": ("fp32", "bf16")}
    options = MachineOptions(precision="bf16", kernels=("attention = products", "newton-schulz=fp32", "matmul=auto"))
    wish = Wish.of(options, *offered)
    assert wish == Wish(precision="bf16", model={"attention": "products"}, optimizer={"newton_schulz": "fp32"})
    assert Wish.of(MachineOptions(kernels=("matmul=medium",)), {}, {}).products == "medium"
    for entry in ("attention=fast", "attentoin=torch", "bf16"):
        with raises_code("kernel-unknown") as caught:
            Wish.of(MachineOptions(kernels=(entry,)), *offered)
        assert any(name in f"{caught.value} {caught.value.hint}" for name in ("attention", "newton_schulz"))
