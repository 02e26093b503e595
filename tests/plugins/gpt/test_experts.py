"""The mixture of experts, against dense MLPs: fp32, on the CPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pentad_gpt.experts import Experts, balance_of
from pentad_gpt.layers import MLP
from pentad_gpt.model import GPT
from pentad_gpt.options import GPTOptions

SMALL = {"n_layer": 1, "n_head": 2, "n_embd": 8, "zero_init_projections": False}


def experts(**options: object) -> tuple[Experts, GPTOptions]:
    torch.manual_seed(0)
    made = GPTOptions(**{**SMALL, **options})
    found = Experts(made)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.normal_(std=0.5)
    return found, made


def dense(found: Experts, expert: int, options: GPTOptions) -> MLP:
    """Return an MLP with the weights of an expert."""
    mlp = MLP(options)
    mlp.load_state_dict(found.experts[expert].state_dict())
    return mlp


@pytest.mark.parametrize("activation", ["relu2", "gelu-tanh", "swiglu"])
@pytest.mark.parametrize("bias", [False, True])
def test_one_expert_is_the_dense_mlp(activation: str, bias: bool) -> None:
    found, options = experts(n_expert=1, activation=activation, bias=bias)
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(found(x, []), dense(found, 0, options)(x))


def test_a_token_goes_through_the_likeliest_with_gates_that_add_up_to_1() -> None:
    found, options = experts(n_expert=4, n_expert_active=2)
    x = torch.randn(2, 6, 8)
    likely = found.router(x).softmax(dim=-1)
    expected = torch.zeros_like(x)
    for row, column in torch.cartesian_prod(torch.arange(2), torch.arange(6)).tolist():
        gates, chosen = likely[row, column].topk(2)
        outputs = torch.stack([dense(found, int(expert), options)(x[row, column]) for expert in chosen])
        expected[row, column] = (gates / gates.sum()) @ outputs
    torch.testing.assert_close(found(x, []), expected)


def test_equal_experts_are_the_dense_mlp() -> None:
    found, options = experts(n_expert=4, n_expert_active=3)
    with torch.no_grad():
        for expert in found.experts:
            expert.load_state_dict(found.experts[0].state_dict())
    x = torch.randn(2, 6, 8)
    torch.testing.assert_close(found(x, []), dense(found, 0, options)(x))


def test_all_tokens_go_through_the_shared_experts_too() -> None:
    found, options = experts(n_expert=4, n_expert_active=2, n_expert_shared=2, activation="relu2")
    x = torch.randn(2, 6, 8)
    shared, found.shared = found.shared, None
    assert shared.up.weight.shape == (2 * options.hidden, 8)
    expected = found(x, []) + shared(x)
    found.shared = shared
    torch.testing.assert_close(found(x, []), expected)


def test_muon_moves_the_experts_and_adamw_the_router() -> None:
    from pentad import make, named_parameters

    model = GPT(GPTOptions(**SMALL, n_expert=3, n_expert_shared=1), vocab_size=11, context_length=8)
    (muon, _), names = make("optimizer", "muon", parameters=named_parameters(model)).optimizers, dict(model.named_parameters())
    moved = {id(parameter) for group in muon.param_groups for parameter in group["params"]}
    experts = [name for name in names if ".experts." in name or ".shared." in name]
    assert len(experts) == 8 and all(id(names[name]) in moved for name in experts)
    assert not any(id(parameter) in moved for name, parameter in names.items() if "router" in name)


OPTIMIZERS = ("muon", "normuon", "adamw", "soap", "lion", "adafactor", "sgd", "schedule-free")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_experts_move_by_their_ratio_and_0_holds_them_still(optimizer: str, ratio: float) -> None:
    from pentad import Choice, make, named_parameters

    torch.manual_seed(0)
    model = GPT(GPTOptions(**SMALL, n_expert=3, n_expert_shared=1), vocab_size=11, context_length=8)
    names = {name for name, role in model.roles().items() if role == "experts"}
    assert names == {
        f"layers.0.mlp.{expert}.{matrix}.weight"
        for expert in ("experts.0", "experts.1", "experts.2", "shared")
        for matrix in ("up", "projection")
    }
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    chosen = Choice(optimizer, experts_lr_ratio=ratio)
    optimization = make("optimizer", chosen, parameters=named_parameters(model))
    for _ in range(3):
        optimization.set_progress(0.5)
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        for each in optimization.optimizers:
            each.step()
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved == (before.keys() if ratio else before.keys() - names)


def test_the_balance_is_1_when_all_are_used_alike_and_more_otherwise() -> None:
    alike = torch.full((8, 4), 0.25)
    chosen = torch.arange(8)[:, None] % 4
    assert balance_of(alike, chosen).item() == pytest.approx(1.0)
    assert balance_of(torch.eye(4).repeat(2, 1), chosen).item() == pytest.approx(1.0)
    one_only = torch.zeros(8, 4)
    one_only[:, 2] = 1
    assert balance_of(one_only, torch.full((8, 1), 2)).item() == pytest.approx(4.0)


@pytest.mark.parametrize("active", [1, 2, 3])
def test_the_balance_is_transformers_over_the_experts_of_a_token(active: int) -> None:
    mixtral = pytest.importorskip("transformers.models.mixtral.modeling_mixtral")
    router_logits = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
    likely = router_logits.softmax(dim=-1)
    expected = mixtral.load_balancing_loss_func((router_logits,), 4, active)
    assert active * balance_of(likely, likely.topk(active).indices).item() == pytest.approx(expected.item(), rel=1e-5)


@torch.no_grad()
def test_experts_with_a_shared_one_are_qwens() -> None:
    """Qwen2-MoE weighs its shared expert by a gate of its own; at 0 this is a half, which goes into our matrix."""
    qwen = pytest.importorskip("transformers.models.qwen2_moe.modeling_qwen2_moe")
    found, options = experts(n_expert=4, n_expert_active=2, n_expert_shared=3, n_hidden=12, activation="swiglu")
    theirs = qwen.Qwen2MoeSparseMoeBlock(
        qwen.Qwen2MoeConfig(
            hidden_size=8,
            num_experts=4,
            num_experts_per_tok=2,
            norm_topk_prob=True,
            moe_intermediate_size=options.hidden,
            shared_expert_intermediate_size=3 * options.hidden,
        )
    )
    gate, up = found.shared.up.weight.chunk(2)
    theirs.load_state_dict(
        {
            "gate.weight": found.router.weight,
            "experts.gate_up_proj": torch.stack([expert.up.weight for expert in found.experts]),
            "experts.down_proj": torch.stack([expert.projection.weight for expert in found.experts]),
            "shared_expert.gate_proj.weight": gate,
            "shared_expert.up_proj.weight": up,
            "shared_expert.down_proj.weight": 2 * found.shared.projection.weight,
            "shared_expert_gate.weight": torch.zeros(1, 8),
        }
    )
    x = torch.randn(2, 6, 8)
    torch.testing.assert_close(found(x, []), theirs(x), rtol=1e-4, atol=1e-5)


def test_the_loss_of_balanced_experts_is_its_factor() -> None:
    torch.manual_seed(0)
    options = GPTOptions(**{**SMALL, "n_layer": 3}, n_expert=4, n_expert_active=2, expert_balance=0.3)
    model = GPT(options, vocab_size=11, context_length=8).train()
    with torch.no_grad():
        for block in model.layers:
            block.mlp.router.weight.zero_()  # every expert is equally likely
    losses = model(torch.randint(11, (2, 8))).losses
    assert set(losses) == {"expert-balance"}
    assert losses["expert-balance"].item() == pytest.approx(0.3, rel=1e-6)


def test_there_is_no_balance_in_evaluation() -> None:
    balance: list[Tensor] = []
    found, _ = experts(n_expert=4)
    found.eval()(torch.randn(1, 4, 8), balance)
    assert balance == []


def test_gradients_reach_the_experts_that_are_used_and_no_other() -> None:
    found, _ = experts(n_expert=6, n_expert_active=2)
    x = torch.randn(1, 3, 8)
    used = set(found.router(x).topk(2, dim=-1).indices.flatten().tolist())
    assert 2 <= len(used) < 6
    balance: list[Tensor] = []
    found(x, balance).square().sum().backward()
    for weights in ("up", "projection"):
        gradients = [getattr(expert, weights).weight.grad for expert in found.experts]
        assert all(gradient is not None for gradient in gradients)
        assert {number for number, gradient in enumerate(gradients) if gradient.any()} == used
    assert found.router.weight.grad is not None
    assert found.router.weight.grad.any()


def test_the_balance_has_a_gradient_for_the_router() -> None:
    found, _ = experts(n_expert=4)
    balance: list[Tensor] = []
    found(torch.randn(2, 6, 8), balance)
    (gradient,) = torch.autograd.grad(balance[0], [found.router.weight])
    assert gradient.any()
