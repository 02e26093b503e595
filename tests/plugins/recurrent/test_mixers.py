"""Each mixer, against another implementation with the same weights, or its paper's formula over all pairs of tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pentad import Choice, make, named_parameters
from pentad_recurrent.mixers import DeltaMixer, LinearMixer, Mixer, RetentionMixer, Row
from pentad_recurrent.model import GatedDeltaNet
from pentad_recurrent.options import GatedDeltaNetOptions, LinearAttentionOptions, RetNetOptions

LENGTH, WIDTH = 21, 16


def drawn(mixer: torch.nn.Module) -> Any:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.normal_(std=0.5)
    return mixer


def features() -> Tensor:
    return torch.randn(2, LENGTH, WIDTH, generator=torch.Generator().manual_seed(0))


def mixed(mixer: Mixer, x: Tensor) -> Tensor:
    out: Tensor = mixer(x, Row(0, None, None), mixer.empty(len(x)))[0]
    return out


@torch.no_grad()
def test_gated_deltanet_is_that_of_transformers() -> None:
    """Qwen3-Next's layer, whose weights stand in other places."""
    qwen = pytest.importorskip("transformers.models.qwen3_next.modeling_qwen3_next")
    config = qwen.Qwen3NextConfig(
        hidden_size=WIDTH,
        linear_num_value_heads=2,
        linear_num_key_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=12,
        linear_conv_kernel_dim=4,
        layer_types=["linear_attention"],
        num_hidden_layers=1,
    )
    theirs = drawn(qwen.Qwen3NextGatedDeltaNet(config, 0))
    ours = DeltaMixer(GatedDeltaNetOptions(n_head=2, n_embd=WIDTH, value_ratio=1.5, conv_size=4, chunk=8))
    parts = theirs.in_proj_qkvz.weight.unflatten(0, (2, -1)).split([8, 8, 12, 12], dim=1)
    query, key, value, gate = (part.flatten(0, 1) for part in parts)
    write, decay = theirs.in_proj_ba.weight.view(2, 2, WIDTH).unbind(1)
    ours.load_state_dict(
        {
            "query.weight": query,
            "key.weight": key,
            "value.weight": value,
            "gate.weight": gate,
            "write.weight": write,
            "decay.weight": decay,
            "output.weight": theirs.out_proj.weight,
            "convolution.weight": theirs.conv1d.weight[:, 0],
            "decay_bias": theirs.dt_bias,
            "decay_log_rate": theirs.A_log,
            "gain": theirs.norm.weight,
        }
    )
    expected = theirs(features())
    assert expected.std() > 0.1
    torch.testing.assert_close(mixed(ours, features()), expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_retention_is_the_papers_product() -> None:
    """(Q K^T . D) V, with Q and K as complex numbers that turn with their position (Sun et al., 2023, equation 5)."""
    mixer = drawn(RetentionMixer(RetNetOptions(n_head=2, n_embd=WIDTH, value_ratio=1.5, chunk=8)))
    x = features().double()
    mixer.double()
    n = torch.arange(LENGTH, dtype=torch.float64)
    out = []
    for head in range(2):
        rows, values = slice(8 * head, 8 * head + 8), slice(12 * head, 12 * head + 12)
        theta = torch.exp(1j * n[:, None] * 10_000.0 ** (-torch.arange(0, 8, 2) / 8))
        q = torch.view_as_complex((x @ mixer.query.weight[rows].T).unflatten(-1, (-1, 2))) * theta
        k = torch.view_as_complex((x @ mixer.key.weight[rows].T).unflatten(-1, (-1, 2))) * theta
        gamma = 1 - 2.0 ** (-5 - head)
        decay = (gamma ** (n[:, None] - n)).tril()
        read = (((q @ k.mH).real / 8**0.5) * decay) @ (x @ mixer.value.weight[values].T)
        out.append((read - read.mean(-1, keepdim=True)) / (read.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt())
    expected = (torch.cat(out, dim=-1) * F.silu(x @ mixer.gate.weight.T)) @ mixer.output.weight.T
    torch.testing.assert_close(mixed(mixer.float(), features()).double(), expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_linear_attention_weighs_by_products_of_its_feature_map() -> None:
    mixer = drawn(LinearMixer(LinearAttentionOptions(n_head=2, n_embd=WIDTH, chunk=8)))
    x, out = features(), []
    for head in range(2):
        rows = slice(8 * head, 8 * head + 8)
        q, k, v = (x @ part.weight[rows].T for part in (mixer.query, mixer.key, mixer.value))
        weights = ((F.elu(q) + 1) @ (F.elu(k) + 1).mT).tril()
        out.append(weights / weights.sum(-1, keepdim=True) @ v)
    expected = (torch.cat(out, dim=-1) * F.silu(x @ mixer.gate.weight.T)) @ mixer.output.weight.T
    torch.testing.assert_close(mixed(mixer, features()), expected, atol=1e-5, rtol=1e-4)


def test_the_decay_starts_as_mamba_2_has_it() -> None:
    torch.manual_seed(0)
    mixer = DeltaMixer(GatedDeltaNetOptions(n_head=64, n_embd=128))
    steps, rates = F.softplus(mixer.decay_bias), mixer.decay_log_rate.exp()
    assert 1e-3 <= steps.min() < 3e-3 < 3e-2 < steps.max() <= 1e-1
    assert 1 <= rates.min() < 3 < 14 < rates.max() <= 16


def test_muon_moves_the_matrices_and_nothing_else() -> None:
    model = GatedDeltaNet(GatedDeltaNetOptions(n_layer=1, n_head=2, n_embd=16), vocab_size=11)
    optimization = make("optimizer", Choice("muon"), parameters=named_parameters(model))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    moved = {names[id(p)].split(".")[-2] for group in optimization.optimizers[0].param_groups for p in group["params"]}
    assert moved == {"query", "key", "value", "gate", "output", "up", "down"}


def test_a_state_has_one_size_and_selects_rows() -> None:
    model = GatedDeltaNet(GatedDeltaNetOptions(n_layer=2, n_head=2, n_embd=16), vocab_size=11).eval()
    state = model.initial_state(3, 5)
    sizes = [[part.shape for part in block] for block in state.blocks]
    for _ in range(3):
        state = model(torch.randint(11, (3, 40)), state).state
    assert [[part.shape for part in block] for block in state.blocks] == sizes and state.length == 120
    chosen = state.select(torch.tensor([2, 0, 0]))
    assert torch.equal(chosen.blocks[1][0], state.blocks[1][0][[2, 0, 0]])
