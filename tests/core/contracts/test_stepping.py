"""Cautious weight decay and the mean of the weights, around any optimizer, against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pentad import Catalogue, Choice, NamedParameter, Optimization, OptimizerOptions, make, parameter_groups

ROLES = {"matrix": (6, 4), "head": (5, 4), "embedding": (5, 4), "vector": (4,)}
CATALOGUE = Catalogue()

OPTIMIZERS = ("adafactor", "adamw", "lion", "muon", "normuon", "sgd", "soap")


def parameters_of(*roles):
    generator = torch.Generator().manual_seed(0)
    return [
        NamedParameter(name=role, role=role, parameter=nn.Parameter(torch.randn(ROLES[role], generator=generator)))
        for role in roles or ROLES
    ]


def optimization_of(name, parameters, **options):
    return make("optimizer", Choice(name, **options), parameters, catalogue=CATALOGUE)


def set_gradients(parameters, seed):
    generator = torch.Generator().manual_seed(seed)
    for named in parameters:
        named.parameter.grad = torch.randn(named.parameter.shape, generator=generator)


def weights(parameters):
    return [named.parameter.detach().clone() for named in parameters]


def step(optimization, share=0.5):
    optimization.set_progress(share)
    for optimizer in optimization.optimizers:
        optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_cautious_decay_is_that_of_the_paper(name):
    # Chen et al. 2025, Algorithm 1: x - lr (u + decay [u x >= 0] x); u is what the same optimizer does without decay.
    decay = 0.7
    careful, bare = parameters_of("matrix", "head", "vector"), parameters_of("matrix", "head", "vector")
    options = {"lr": 0.125, "schedule": "constant", "warmup_ratio": 0.0}
    ours = optimization_of(name, careful, weight_decay=decay, cautious_weight_decay=True, **options)
    without = optimization_of(name, bare, weight_decay=0.0, **options)
    rates = {id(parameter): group["lr"] for group in ours.groups() for parameter in group["params"]}
    shrunk = kept = 0
    for number in range(3):
        set_gradients(careful, number)
        set_gradients(bare, number)
        before = weights(careful)
        with torch.no_grad():
            for one, other in zip(careful, bare, strict=True):
                other.parameter.copy_(one.parameter)
        step(ours)
        step(without)
        for one, other, x in zip(careful, bare, before, strict=True):
            update = x - other.parameter.detach()  # times lr
            mask = (update * x >= 0) if one.role != "vector" else torch.zeros_like(x, dtype=torch.bool)
            expected = x - update - rates[id(one.parameter)] * decay * mask * x
            assert torch.allclose(one.parameter, expected, atol=1e-6)
            if one.role != "vector":
                shrunk, kept = shrunk + int(mask.sum()), kept + int((~mask).sum())
    assert shrunk and kept


def test_cautious_decay_gives_the_groups_their_decay_back():
    parameters = parameters_of()
    optimization = optimization_of("adamw", parameters, weight_decay=0.5, cautious_weight_decay=True)
    before = [group["weight_decay"] for group in optimization.groups()]
    set_gradients(parameters, 0)
    step(optimization)
    assert [group["weight_decay"] for group in optimization.groups()] == before == [0.5, 0.5, 0.0, 0.0]


class Raising(torch.optim.SGD):
    def step(self, closure=None):
        raise RuntimeError


def test_a_step_that_fails_gives_the_decay_back_and_moves_no_mean():
    parameters = parameters_of("matrix")
    options = OptimizerOptions(weight_decay=0.5, cautious_weight_decay=True, average=0.5)
    optimization = Optimization(optimizers=[Raising(parameter_groups(options, parameters))])
    set_gradients(parameters, 0)
    with pytest.raises(RuntimeError):
        step(optimization)
    (group,) = optimization.groups()
    assert group["weight_decay"] == 0.5 and group["average_steps"] == 0


class Twofold(torch.optim.SGD):
    """Whose class and base class are both wrapped by torch for its hooks, once a plain SGD was made."""

    def step(self, closure=None):
        return super().step(closure)


def test_an_optimizer_whose_step_calls_that_of_its_base_counts_once():
    parameters = parameters_of("matrix")
    torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    groups = parameter_groups(OptimizerOptions(average=1.0), parameters)
    optimization = Optimization(optimizers=[Twofold(groups, lr=0.1)])
    set_gradients(parameters, 0)
    step(optimization)
    assert groups[0]["average_steps"] == 1


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decay_that_falls_with_the_rate(name):
    parameters = parameters_of()
    options = {"lr": 0.25, "warmup_ratio": 0.0, "schedule": "linear", "weight_decay": 0.4}
    falling = optimization_of(name, parameters, weight_decay_schedule="lr", **options)
    constant = optimization_of(name, parameters_of(), **options)
    for share in (0.0, 0.25, 0.75, 1.0, 0.5):
        falling.set_progress(share)
        constant.set_progress(share)
        for one, other in zip(falling.groups(), constant.groups(), strict=True):
            assert one["weight_decay"] == pytest.approx(other["weight_decay"] * (1 - share))
            assert one["lr"] == other["lr"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_mean_is_exponential_with_a_share_of_the_training_as_its_time(name):
    parameters, window, steps = parameters_of(), 0.1, 40
    optimization = optimization_of(name, parameters, lr=0.01, average=window)
    means, until = None, 0.0
    for number in range(steps):
        share = (number + 0.5) / steps
        set_gradients(parameters, number)
        step(optimization, share)
        weight = max(1 / (number + 1), 1 - math.exp(-(share - until) / window))
        until = share
        after = [tensor.double() for tensor in weights(parameters)]
        means = after if means is None else [old + weight * (new - old) for old, new in zip(means, after, strict=True)]
    before = weights(parameters)
    with optimization.evaluating():
        for named, mean in zip(parameters, means, strict=True):
            assert torch.allclose(named.parameter.double(), mean, atol=1e-6)
    assert all(torch.equal(one, other) for one, other in zip(before, weights(parameters), strict=True))
    assert not any(torch.equal(one, other.float()) for one, other in zip(before, means, strict=True))


def test_how_many_steps_make_the_share_hardly_matters():
    # The weights go along a line, so that an exponential mean lags behind by its time constant, whatever the steps are.
    for steps in (50, 400):
        parameter = nn.Parameter(torch.zeros(1))
        named = NamedParameter(name="weight", role="vector", parameter=parameter)
        options = {"schedule": "constant", "warmup_ratio": 0.0, "momentum": 0.0}
        optimization = optimization_of("sgd", [named], lr=1 / steps, average=0.1, **options)
        for number in range(steps):
            parameter.grad = -torch.ones(1)
            step(optimization, (number + 0.5) / steps)
        with optimization.evaluating():
            lag = 1 - parameter.item()
        assert lag == pytest.approx(0.1, abs=0.6 / steps)


def test_the_mean_of_the_start_is_that_of_all_steps():
    parameters = parameters_of("matrix")
    optimization = optimization_of("adamw", parameters, lr=0.01, average=1.0)
    seen = []
    for number in range(3):
        set_gradients(parameters, number)
        step(optimization, (number + 0.5) / 1000)
        seen += weights(parameters)
    with optimization.evaluating():
        assert torch.allclose(parameters[0].parameter, torch.stack(seen).mean(0), atol=1e-6)


def test_a_parameter_without_gradients_keeps_no_mean_and_disturbs_none():
    parameters = parameters_of()
    optimization = optimization_of("adamw", parameters, average=0.5)
    set_gradients(parameters[::2], 0)
    step(optimization)
    kept = [optimization.optimizers[0].state.get(named.parameter, {}).keys() for named in parameters]
    assert ["average" in names for names in kept] == [True, False, True, False]
    set_gradients(parameters, 1)
    step(optimization)  # torch's AdamW would not have started a state that held the mean already
    with optimization.evaluating():
        assert all(named.parameter.isfinite().all() for named in parameters)


def test_without_these_options_nothing_is_wrapped():
    parameters = parameters_of()
    for name in OPTIMIZERS:
        optimization = optimization_of(name, parameters)
        assert not any("step" in vars(optimizer) for optimizer in optimization.optimizers)
        assert not optimization.judges_other_weights
