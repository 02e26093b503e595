"""Each wrong adapter is caught by the check meant for it, and by no other."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from pentad import Adapter, EngineError, ModelAdapter
from pentad.testing import AdapterConformance


class Scale(nn.Module):
    """Adds to a matrix a learned share of itself; it begins with nothing."""

    def __init__(self, start=0.0):
        super().__init__()
        self.gain = nn.Parameter(torch.full((), start))

    def forward(self, weight):
        return weight * (1 + self.gain)


class Right(ModelAdapter):
    """Learns one number beside each of two matrices; every other adapter breaks one promise."""

    def __init__(self, options):
        self.owners = []

    def part(self):
        return Scale()

    def apply(self, model):
        model.requires_grad_(False)
        for owner in (model.up, model.down):
            parametrize.register_parametrization(owner, "weight", self.part())
            self.owners.append(owner)

    def merge(self, model):
        for owner in self.owners:
            parametrize.remove_parametrizations(owner, "weight", leave_parametrized=True)


class CannotMerge(Right):
    def merge(self, model):
        raise EngineError("A gain cannot be folded in.", code="not-mergeable")


class FreezesAll(Right):
    def apply(self, model):
        super().apply(model)
        model.requires_grad_(False)


class BeginsElsewhere(Right):
    def part(self):
        return Scale(start=0.5)


class HasNoEffect(Right):
    def apply(self, model):
        model.requires_grad_(False)
        model.idle = nn.Parameter(torch.zeros(3))

    def merge(self, model):
        del model.idle


class DrawsByItself(Right):
    def apply(self, model):
        super().apply(model)
        model.register_buffer("noise", torch.randn(3, generator=torch.Generator().manual_seed(id(self) % 2**31)))

    def merge(self, model):
        super().merge(model)
        del model.noise


class ForgetsToAddIn(Right):
    def merge(self, model):
        for owner in self.owners:
            parametrize.remove_parametrizations(owner, "weight", leave_parametrized=False)


class LeavesItsPartsBehind(Right):
    def merge(self, model):
        pass


def failed(factory):
    class Kit(AdapterConformance):
        implementation = Adapter(name="mine", summary="", factory=factory)

    return {check for check in Kit.checks() if Kit().run(check).outcome != "passed"}


@pytest.mark.parametrize("factory", [Right, CannotMerge])
def test_a_right_adapter_passes(factory):
    assert not failed(factory)


@pytest.mark.parametrize(
    ("factory", "check"),
    [
        (BeginsElsewhere, {"begins_as_the_model"}),
        (DrawsByItself, {"same_change_for_the_same_seed"}),
        (ForgetsToAddIn, {"merges_into_the_model"}),
        (LeavesItsPartsBehind, {"merges_into_the_model"}),
        (FreezesAll, {"something_is_left_to_learn", "what_is_learned_matters"}),
        (HasNoEffect, {"something_is_left_to_learn", "what_is_learned_matters"}),
    ],
)
def test_a_wrong_adapter_is_caught(factory, check):
    assert failed(factory) == check
