from __future__ import annotations

import math

import pytest
import torch
from pytorch_optimizer import NorMuon
from torch import nn

from pentad import NamedParameter
from pentad.system.machine import resident_bytes
from pentad_muon.batched import BatchedMuon, BatchedNorMuon, orthogonalised
from pentad_muon.optimizer import muon
from pentad_muon.options import MuonOptions, NorMuonOptions


def named(role, tensor, name="parameter"):
    return NamedParameter(name=name, role=role, parameter=nn.Parameter(tensor))


def step(optimization):
    for optimizer in optimization.optimizers:
        optimizer.step()


def kinds(optimization):
    return [type(optimizer).__name__ for optimizer in optimization.optimizers]


def test_one_step_by_hand():
    # A diagonal gradient stays diagonal, so that the iteration can be done by hand on its two entries.
    parameter = named("matrix", torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    parameter.parameter.grad = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
    step(muon(MuonOptions(lr=0.1, momentum=0.9, nesterov=False, ns_steps=2, weight_decay=0.5), [parameter]))
    entries = [3 / 5, 4 / 5]  # divided by the Frobenius norm
    for _ in range(2):
        entries = [3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5 for x in entries]
    expected = torch.diag(torch.tensor([0.95 - 0.1 * x for x in entries]))
    assert torch.allclose(parameter.parameter, expected, atol=1e-6)


def test_momentum_and_nesterov_by_hand():
    # The update of a 1 x 1 matrix is only a sign, so the direction is read from the buffer.
    for nesterov in (True, False):
        parameter = named("matrix", torch.ones(2, 3))
        optimization = muon(MuonOptions(momentum=0.9, nesterov=nesterov), [parameter])
        for gradient in (1.0, 2.0):
            parameter.parameter.grad = torch.full((2, 3), gradient)
            step(optimization)
        buffer = optimization.optimizers[0].state[parameter.parameter]["momentum_buffer"]
        assert torch.allclose(buffer, torch.full((2, 3), 0.9 * 0.1 + 0.1 * 2))


@pytest.mark.parametrize(("rule", "scale"), [("original", math.sqrt(8 / 2)), ("match_rms_adamw", 0.2 * math.sqrt(8))])
def test_learning_rate_follows_the_shape(rule, scale):
    gradient = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    sizes = []
    for shape in ((8, 2), (2, 8)):
        parameter = named("matrix", torch.zeros(shape))
        parameter.parameter.grad = gradient.reshape(shape) if shape == (8, 2) else gradient.T.contiguous()
        step(muon(MuonOptions(lr=1.0, weight_decay=0.0, adjust_lr_fn=rule), [parameter]))
        sizes.append(parameter.parameter.norm().item())
    wide = 1.0 if rule == "original" else scale
    assert sizes[0] / sizes[1] == pytest.approx(scale / wide)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (5, 40), (40, 5), (1, 7)])
@pytest.mark.parametrize("steps", [1, 5, 9])
def test_same_as_torch_up_to_its_bfloat16(shape, steps):
    generator = torch.Generator().manual_seed(1)
    start = [torch.randn(shape, generator=generator) for _ in range(3)]
    ours, theirs = ([nn.Parameter(tensor.clone()) for tensor in start] for _ in range(2))
    settings = {"lr": 0.1, "momentum": 0.8, "ns_steps": steps, "weight_decay": 0.3}
    batched, reference = BatchedMuon(ours, **settings), torch.optim.Muon(theirs, **settings)
    for _ in range(2):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(shape, generator=generator)
            other.grad = one.grad.clone()
        batched.step()
        reference.step()
    for one, other, old in zip(ours, theirs, start, strict=True):
        moved = (other - old).norm()
        assert (one - other).norm() < 0.06 * moved


def test_singular_values_come_near_one():
    parameter = named("matrix", torch.zeros(16, 48))
    parameter.parameter.grad = torch.randn(16, 48, generator=torch.Generator().manual_seed(0))
    step(muon(MuonOptions(lr=1.0, weight_decay=0.0), [parameter]))
    values = torch.linalg.svdvals(parameter.parameter.detach())
    assert values.min() > 0.6 and values.max() < 1.3


def test_state_is_torchs():
    ours, theirs = ([nn.Parameter(torch.ones(4, 6))] for _ in range(2))
    ours[0].grad = theirs[0].grad = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    batched, reference = BatchedMuon(ours), torch.optim.Muon(theirs)
    batched.step()
    reference.step()
    ours_state, theirs_state = batched.state_dict()["state"], reference.state_dict()["state"]
    assert ours_state[0].keys() == theirs_state[0].keys()
    reference.load_state_dict(batched.state_dict())
    batched.load_state_dict(reference.state_dict())
    before = ours[0].detach().clone()
    batched.step()
    assert not torch.equal(ours[0], before)


def test_stacks_stay_small(monkeypatch):
    def moved():
        generator = torch.Generator().manual_seed(0)
        parameters = [nn.Parameter(torch.zeros(4, 8)) for _ in range(5)]
        for parameter in parameters:
            parameter.grad = torch.randn(4, 8, generator=generator)
        BatchedMuon(parameters).step()
        return torch.stack(parameters)

    whole = moved()
    monkeypatch.setattr("pentad_muon.batched._CHUNK_ELEMENTS", 70)
    assert torch.allclose(moved(), whole, atol=1e-6)


def test_matrices_go_to_muon_and_the_rest_to_adamw():
    parameters = [
        named("matrix", torch.ones(2, 3)),
        named("embedding", torch.ones(5, 3)),
        named("head", torch.ones(5, 3)),
        named("vector", torch.ones(3)),
        named("experts", torch.ones(2, 3)),
        named("matrix", torch.ones(2, 3, 4)),  # a convolution
        named("experts", torch.ones(2, 3, 4)),  # stacked
    ]
    ratios = {"head_lr_ratio": 2.0, "embedding_lr_ratio": 3.0, "vector_lr_ratio": 4.0, "experts_lr_ratio": 5.0}
    ratios |= {"tensor_lr_ratio": 0.5}
    optimization = muon(MuonOptions(lr=0.125, weight_decay=0.4, **ratios), parameters)
    assert kinds(optimization) == ["BatchedMuon", "AdamW"]
    where = {
        id(parameter): (type(optimizer).__name__, group["lr"], group["weight_decay"])
        for optimizer in optimization.optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert [where[id(named.parameter)] for named in parameters] == [
        ("BatchedMuon", 0.125, 0.4),
        ("AdamW", 0.375, 0.0),
        ("AdamW", 0.25, 0.4),
        ("AdamW", 0.5, 0.0),
        ("BatchedMuon", 0.625, 0.4),
        ("AdamW", 0.0625, 0.4),
        ("AdamW", 0.3125, 0.4),
    ]


SHAPES = {"embedding": (11, 6), "head": (11, 6), "vector": (6,), "experts": (2, 6, 5), "matrix": (6, 4)}


def started():
    generator = torch.Generator().manual_seed(0)
    return [named(role, torch.randn(shape, generator=generator), role) for role, shape in SHAPES.items()]


def trained(parameters, optimizers):
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        for each in parameters:
            each.parameter.grad = torch.randn(each.parameter.shape, generator=generator)
        for optimizer in optimizers:
            optimizer.step()
    return [each.parameter.detach() for each in parameters]


def test_defaults_are_muon_at_0_02_and_adamw_at_0_003_to_the_last_bit():
    parameters = started()
    found = trained(parameters, muon(MuonOptions(), parameters).optimizers)
    parameters = started()
    decays = {"embedding": 0.0, "vector": 0.0, "head": 0.1, "experts": 0.1}
    by_role = {each.role: each.parameter for each in parameters}
    groups = [{"params": [by_role[role]], "lr": 3e-3, "weight_decay": decay} for role, decay in decays.items()]
    matrices = BatchedMuon([by_role["matrix"]], lr=0.02, weight_decay=0.1, momentum=0.95, nesterov=True, ns_steps=5)
    expected = trained(parameters, [matrices, torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8, fused=True)])
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize(("rule", "scale"), [("original", "preserve_norm"), ("match_rms_adamw", "match_rms")])
def test_normuon_is_that_of_pytorch_optimizer(rule, scale, monkeypatch):
    def in_float32(matrix, num_steps, weights):
        return orthogonalised(matrix[None].clone(), [coefficients] * num_steps, 1e-7)[0]

    # Theirs iterates in bfloat16; given the same orthogonal matrices, the rest must be the same.
    monkeypatch.setattr("pytorch_optimizer.optimizer.muon.normuon.zero_power_via_newton_schulz_5", in_float32)
    generator = torch.Generator().manual_seed(2)
    ours, theirs = ([nn.Parameter(tensor.clone()) for tensor in (torch.ones(6, 9), torch.ones(8, 4))] for _ in range(2))
    settings = {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.3}
    coefficients = (3.4445, -4.7750, 2.0315)
    batched = BatchedNorMuon(ours, second_momentum=0.7, adjust_lr_fn=rule, ns_coefficients=coefficients, **settings)
    groups = [{"params": theirs, "use_muon": True, "use_adjusted_lr": False}]
    peer = NorMuon(groups, beta2=0.7, update_scale=scale, foreach=False, **settings)
    for _ in range(4):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        batched.step()
        peer.step()
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_normuon_evens_out_the_rows_and_keeps_the_norm():
    moved = []
    for options in (MuonOptions(lr=1.0, weight_decay=0.0), NorMuonOptions(lr=1.0, weight_decay=0.0)):
        parameter = named("matrix", torch.zeros(32, 8))
        parameter.parameter.grad = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
        step(muon(options, [parameter]))
        moved.append(parameter.parameter.detach())
    rows = moved[1].norm(dim=1)
    assert torch.allclose(rows, rows.mean().expand(32), rtol=1e-4)
    assert moved[0].norm(dim=1).std() > 0.1 * rows.mean()
    assert moved[1].norm().item() == pytest.approx(moved[0].norm().item(), rel=1e-5)


@pytest.mark.parametrize("options_of", [MuonOptions, NorMuonOptions])
def test_polar_express_reaches_the_update(options_of):
    moved = []
    for name in ("quintic", "polar-express"):
        parameter = named("matrix", torch.zeros(16, 48))
        parameter.parameter.grad = torch.randn(16, 48, generator=torch.Generator().manual_seed(0))
        step(muon(options_of(lr=1.0, weight_decay=0.0, newton_schulz=name), [parameter]))
        moved.append(torch.linalg.svdvals(parameter.parameter.detach()))
    assert moved[1].std() < 0.6 * moved[0].std()


def test_empty_optimizers_are_left_out():
    assert kinds(muon(MuonOptions(), [named("vector", torch.ones(3))])) == ["AdamW"]
    assert kinds(muon(MuonOptions(), [named("matrix", torch.ones(3, 3))])) == ["BatchedMuon"]
    assert kinds(muon(MuonOptions(), [])) == []


def test_a_gradient_of_zero_moves_nothing_but_the_decay():
    parameter = named("matrix", torch.ones(3, 4))
    parameter.parameter.grad = torch.zeros(3, 4)
    step(muon(MuonOptions(lr=0.1, weight_decay=0.5), [parameter]))
    assert torch.allclose(parameter.parameter, torch.full((3, 4), 0.95))


def test_finds_the_minimum_of_a_regression():
    generator = torch.Generator().manual_seed(0)
    inputs, wanted = torch.randn(64, 6, generator=generator), torch.randn(4, 6, generator=generator)
    weight = named("matrix", torch.zeros(4, 6))
    optimization = muon(MuonOptions(lr=0.2, weight_decay=0.0), [weight])
    for number in range(150):
        weight.parameter.grad = None
        (inputs @ weight.parameter.T - inputs @ wanted.T).square().mean().backward()
        for group in optimization.optimizers[0].param_groups:
            group["lr"] = 0.2 * optimization.schedule((number + 0.5) / 150)
        step(optimization)
    assert torch.allclose(weight.parameter, wanted, atol=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", [BatchedMuon, BatchedNorMuon])
def test_a_rate_of_zero_moves_nothing(kind, dtype):
    """A schedule may end at 0. oneDNN leaves a product times 0 in bf16 unset, and what memory held there became weights."""
    weights = [nn.Parameter(torch.randn(128, 128)) for _ in range(4)]
    optimizer = kind(weights, lr=0.0)
    optimizer.iterates_in = dtype
    before = [weight.detach().clone() for weight in weights]
    for _ in range(20):
        for weight in weights:
            weight.grad = torch.randn_like(weight)
        torch.full((4, 128, 128), torch.nan)  # its memory becomes a product's
        optimizer.step()
    assert all(torch.equal(weight, old) for weight, old in zip(weights, before, strict=True))
    assert all(optimizer.state[weight]["momentum_buffer"].any() for weight in weights)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_rate_that_falls_keeps_no_memory(dtype):
    """oneDNN keeps a kernel for each factor of a product that it has seen: 4 MB a step, where the rate was one of them."""
    shapes = [(128, 128)] * 4 + [(352, 128)]
    parameters = [nn.Parameter(torch.randn(shape) / 8) for shape in shapes]
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape)
    optimizer = BatchedMuon(parameters, lr=0.02)
    optimizer.iterates_in = dtype
    held = []
    for number in range(80):
        optimizer.param_groups[0]["lr"] = 0.02 - number * 1e-4
        optimizer.step()
        held.append(resident_bytes())
    assert held[-1] - held[20] < 50e6
