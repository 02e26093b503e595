from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pentad import NamedParameter
from pentad_adamw.optimizer import adamw
from pentad_adamw.options import AdamWOptions


def named(role, values):
    return NamedParameter(name=role, role=role, parameter=nn.Parameter(torch.tensor(values)))


def step(optimization):
    for optimizer in optimization.optimizers:
        optimizer.step()


def test_two_steps_by_hand():
    parameter = named("matrix", [[1.0]])
    optimization = adamw(AdamWOptions(lr=0.1, beta1=0.9, beta2=0.5, eps=1e-3, weight_decay=0.2), [parameter])
    value, mean, square = 1.0, 0.0, 0.0
    for number, gradient in ((1, 2.0), (2, -3.0)):
        parameter.parameter.grad = torch.tensor([[gradient]])
        step(optimization)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.5 * square + 0.5 * gradient**2
        value -= 0.1 * 0.2 * value
        value -= 0.1 * (mean / (1 - 0.9**number)) / (math.sqrt(square / (1 - 0.5**number)) + 1e-3)
        assert parameter.parameter.item() == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(("role", "decays"), [("matrix", True), ("head", True), ("embedding", False), ("vector", False)])
def test_decay_only_on_matrices_and_the_head(role, decays):
    parameter = named(role, [[4.0]])
    parameter.parameter.grad = torch.zeros(1, 1)
    step(adamw(AdamWOptions(lr=0.1, weight_decay=0.5), [parameter]))
    assert parameter.parameter.item() == pytest.approx(4.0 * (1 - 0.05) if decays else 4.0)


def test_defaults_are_torchs_adamw_in_two_groups_to_the_last_bit():
    def trained(optimizers_of):
        generator = torch.Generator().manual_seed(0)
        roles = ("embedding", "matrix", "vector", "experts", "head")
        parameters = [
            NamedParameter(name=role, role=role, parameter=nn.Parameter(torch.randn(5, 7, generator=generator)))
            for role in roles
        ]
        optimizers = optimizers_of(parameters)
        for _ in range(5):
            for each in parameters:
                each.parameter.grad = torch.randn(5, 7, generator=generator)
            for optimizer in optimizers:
                optimizer.step()
        return [each.parameter.detach() for each in parameters]

    def by_hand(parameters):
        decayed = [each.parameter for each in parameters if each.role in ("matrix", "experts", "head")]
        others = [each.parameter for each in parameters if each.role in ("embedding", "vector")]
        groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        return [torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95), eps=1e-8, fused=True)]

    found = trained(lambda parameters: adamw(AdamWOptions(), parameters).optimizers)
    assert all(torch.equal(one, other) for one, other in zip(found, trained(by_hand), strict=True))


def test_no_group_is_empty():
    (optimizer,) = adamw(AdamWOptions(), [named("vector", [1.0])]).optimizers
    assert [len(group["params"]) for group in optimizer.param_groups] == [1]
    assert adamw(AdamWOptions(), []).optimizers == ()


def test_fused_on_the_cpu():
    (optimizer,) = adamw(AdamWOptions(), [named("vector", [1.0])]).optimizers
    assert optimizer.defaults["fused"] is True


def test_finds_the_minimum_of_a_regression():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 3, generator=generator)
    wanted = torch.tensor([[1.0, -2.0, 0.5]])
    weight = named("matrix", [[0.0, 0.0, 0.0]])
    optimization = adamw(AdamWOptions(lr=0.1, weight_decay=0.0, schedule="linear"), [weight])
    for number in range(200):
        weight.parameter.grad = None
        (inputs @ weight.parameter.T - inputs @ wanted.T).square().mean().backward()
        for group in optimization.optimizers[0].param_groups:
            group["lr"] = 0.1 * optimization.schedule((number + 0.5) / 200)
        step(optimization)
    assert torch.allclose(weight.parameter, wanted, atol=1e-3)
