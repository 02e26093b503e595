"""Each optimizer against another implementation of it, or against the formulas of its paper."""

from __future__ import annotations

import pytest
import pytorch_optimizer
import torch
from torch import nn

from pentad import NamedParameter
from pentad_optimizers.adafactor import adafactor
from pentad_optimizers.lion import lion
from pentad_optimizers.options import AdafactorOptions, LionOptions, ScheduleFreeOptions, SGDOptions, SOAPOptions
from pentad_optimizers.schedule_free import schedule_free
from pentad_optimizers.sgd import sgd
from pentad_optimizers.soap import soap


def same(found, expected, atol=1e-6):
    return all(torch.allclose(one, other, atol=atol) for one, other in zip(found, expected, strict=True))


def test_lion_is_that_of_pytorch_optimizer(task):
    ours, theirs = task(("matrix", "head")), task(("matrix", "head"))
    found = ours.train(lion(LionOptions(lr=0.01, beta1=0.8, beta2=0.95, weight_decay=0.5), ours.parameters).optimizers)
    peer = pytorch_optimizer.Lion(theirs.tensors, lr=0.01, betas=(0.8, 0.95), weight_decay=0.5)
    assert same(found, theirs.train([peer]))


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("max_size", [100, 4])
def test_soap_is_that_of_pytorch_optimizer(task, every, max_size):
    ours, theirs = (task(("matrix", "vector", "experts")) for _ in range(2))
    options = SOAPOptions(lr=0.01, beta1=0.9, beta2=0.8, gram_beta=0.7, every=every, max_size=max_size, weight_decay=0.0)
    found = ours.train(soap(options, ours.parameters).optimizers, 12)
    settings = {"betas": (0.9, 0.8), "shampoo_beta": 0.7, "precondition_frequency": every, "max_precondition_dim": max_size}
    peer = pytorch_optimizer.SOAP(theirs.tensors, lr=0.01, weight_decay=0.0, **settings)
    # Theirs adds eps to the root before the second moment's correction, ours after it, as torch does.
    assert same(found, theirs.train([peer], 12), atol=1e-5)


def test_soap_keeps_one_basis_for_what_has_a_row_for_each_token(task):
    one = task(("embedding", "head", "matrix"))
    (optimizer,) = soap(SOAPOptions(), one.parameters).optimizers
    one.train([optimizer], 2)
    kept = [sorted(name for name in optimizer.state[parameter] if "basis" in name) for parameter in one.tensors]
    assert kept == [["basis_1"], ["basis_1"], ["basis_0", "basis_1"]]
    basis = optimizer.state[one.tensors[2]]["basis_0"]
    assert torch.allclose(basis.mT @ basis, torch.eye(6), atol=1e-5)


def test_schedule_free_is_that_of_the_paper(task):
    # Algorithm 1 of Defazio et al. 2024, with the rates of a warm-up, whose squares weigh the mean.
    one, rates, decay, beta1, beta2 = task(("matrix",)), [0.01, 0.02, 0.03, 0.03, 0.03], 0.3, 0.9, 0.8
    options = ScheduleFreeOptions(lr=0.03, beta1=beta1, beta2=beta2, weight_decay=decay)
    optimization = schedule_free(options, one.parameters)
    (parameter,) = one.tensors
    x = z = parameter.detach().clone()
    square, weights = torch.zeros_like(x), 0.0
    for step in one.steps(len(rates)):
        y = (1 - beta1) * z + beta1 * x
        assert torch.allclose(parameter, y, atol=1e-6)
        square = beta2 * square + (1 - beta2) * parameter.grad**2
        direction = parameter.grad / ((square / (1 - beta2 ** (step + 1))).sqrt() + 1e-8)
        z = z - rates[step] * (direction + decay * y)
        weights += rates[step] ** 2
        x = x + rates[step] ** 2 / weights * (z - x)
        for group in optimization.groups():
            group["lr"] = rates[step]
        optimization.optimizers[0].step()
    with optimization.evaluating():
        assert torch.allclose(parameter, x, atol=1e-6)
    assert torch.allclose(parameter, (1 - beta1) * z + beta1 * x, atol=1e-6)


def test_adafactor_is_torchs_below_its_own_schedule(task):
    ours, theirs = task(), task()
    options = AdafactorOptions(lr=0.1, clip=1.5, min_scale=0.01, beta2_decay=-0.7, weight_decay=0.0)
    found = ours.train(adafactor(options, ours.parameters).optimizers, 20)
    peer = torch.optim.Adafactor(theirs.tensors, lr=0.1, beta2_decay=-0.7, eps=(None, 0.01), d=1.5, weight_decay=0.0)
    assert same(found, theirs.train([peer], 20))


@pytest.mark.parametrize("lr", [0.3, 1.2])  # the second is above 1 / sqrt(step), which torch's takes at the most
def test_adafactor_is_that_of_the_paper(lr, task):
    # Algorithm 4 of Shazeer and Stern 2018, without the epsilon that it adds to the squared gradient.
    one, scale, clip = task(("matrix",)), 1e-3, 1.0
    (optimizer,) = adafactor(AdafactorOptions(lr=lr, clip=clip, weight_decay=0.0), one.parameters).optimizers
    (parameter,) = one.tensors
    value = parameter.detach().clone()
    rows, columns = torch.zeros(6, 1), torch.zeros(1, 4)
    for step in one.steps(5):
        left = (step + 1) ** -0.8
        rows = rows + left * ((parameter.grad**2).mean(1, keepdim=True) - rows)
        columns = columns + left * ((parameter.grad**2).mean(0, keepdim=True) - columns)
        update = parameter.grad / (rows @ columns / rows.mean()).sqrt()
        update = update / max(1.0, update.square().mean().sqrt().item() / clip)
        value = value - lr * max(scale, value.square().mean().sqrt().item()) * update
        optimizer.step()
    assert torch.allclose(parameter, value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("nesterov", [True, False])
def test_sgd_by_hand(task, nesterov):
    one, lr, momentum, decay = task(("matrix",)), 0.1, 0.8, 0.5
    options = SGDOptions(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=decay)
    (optimizer,) = sgd(options, one.parameters).optimizers
    (parameter,) = one.tensors
    value, velocity = parameter.detach().clone(), torch.zeros(6, 4)
    for _ in one.steps(4):
        velocity = momentum * velocity + parameter.grad
        value = (1 - lr * decay) * value - lr * (parameter.grad + momentum * velocity if nesterov else velocity)
        optimizer.step()
    assert torch.allclose(parameter, value, atol=1e-6)


def test_sgd_without_momentum_needs_no_nesterov(task):
    one = task(("vector",))
    (optimizer,) = sgd(SGDOptions(lr=1.0, momentum=0.0), one.parameters).optimizers
    before = one.tensors[0].detach().clone()
    for _ in one.steps(1):
        optimizer.step()
    assert torch.equal(one.tensors[0], before - one.tensors[0].grad)


FACTORIES = [
    (sgd, SGDOptions),
    (lion, LionOptions),
    (adafactor, AdafactorOptions),
    (soap, SOAPOptions),
    (schedule_free, ScheduleFreeOptions),
]


@pytest.mark.parametrize(("factory", "options"), FACTORIES)
@pytest.mark.parametrize(("role", "decays"), [("matrix", True), ("head", True), ("embedding", False), ("vector", False)])
def test_weight_decay_is_decoupled_and_for_matrices_alone(factory, options, role, decays):
    parameter = nn.Parameter(torch.full((2, 3), 4.0))
    named = NamedParameter(name=role, role=role, parameter=parameter)
    (optimizer,) = factory(options(lr=0.125, weight_decay=0.5), [named]).optimizers
    for _ in range(2 if factory is soap else 1):  # SOAP's first step moves nothing
        before = parameter.detach().clone()
        parameter.grad = torch.zeros(2, 3)
        optimizer.step()
    assert (parameter / before).mean().item() == pytest.approx(1 - 0.125 * 0.5 if decays else 1.0, abs=2e-3)
