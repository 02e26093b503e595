"""The named architectures are what transformers has under these names: the same weights give the same logits, in fp32."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from pentad import Situation, UsageError
from pentad.config.options import given, parse
from pentad.testing import ModelConformance
from pentad_gpt.model import GPT
from pentad_gpt.options import GPTOptions
from pentad_gpt.presets import PRESETS
from pentad_gpt.sizing import advise

transformers = pytest.importorskip("transformers")

SHAPE: dict[str, Any] = {"n_layer": 2, "n_head": 4, "n_embd": 32}
THEIRS: dict[str, Any] = {"vocab_size": 11, "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32}
LLAMA = {
    "q_proj": "attention.query",
    "k_proj": "attention.key",
    "v_proj": "attention.value",
    "o_proj": "attention.projection",
    "q_norm": "attention.query_gain",
    "k_norm": "attention.key_gain",
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "mlp_norm",
    "down_proj": "mlp.projection",
    "fc1": "mlp.up",
    "fc2": "mlp.projection",
}
"""Their module to ours."""


def ids() -> Tensor:
    return torch.randint(11, (3, 16), generator=torch.Generator().manual_seed(0))


def drawn(model: torch.nn.Module) -> torch.nn.Module:
    """Give each parameter values at which every part matters."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3)
    return model.eval()


def in_pairs(tensor: Tensor, width: int, swapped: bool = False) -> Tensor:
    """Bring the halves of each head, which transformers turns against each other, side by side, as ours are turned.

    Args:
        tensor: (H Dh, …), of queries or keys.
        width: Dh.
        swapped: whether the second half comes first, which turns the other way round.
    """
    halves = tensor.unflatten(0, (-1, 2, width // 2)).transpose(1, 2)
    return (halves.flip(2) if swapped else halves).flatten(0, 2)


def converted(theirs: dict[str, Tensor], width: int, swapped: bool = False) -> dict[str, Tensor]:
    """Rename the parameters of Llama and its kin."""
    ours = {"embedding.weight": theirs["model.embed_tokens.weight"], "head.weight": theirs["lm_head.weight"]}
    for name, tensor in theirs.items():
        if name == "model.norm.weight":
            ours["norm.weight"] = tensor
        if not name.startswith("model.layers."):
            continue
        layer, module = name.split(".")[2], name.split(".")[-2]
        tensor = in_pairs(tensor, width, swapped) if module in ("q_proj", "k_proj", "q_norm", "k_norm") else tensor
        if module in LLAMA:
            suffix = "" if module in ("q_norm", "k_norm") else ".weight"
            ours[f"layers.{layer}.{LLAMA[module]}{suffix}"] = tensor
        if module == "gate_proj":
            up = theirs[name.replace("gate_proj", "up_proj")]
            ours[f"layers.{layer}.mlp.up.weight"] = torch.cat([tensor, up])
        if name.endswith(".mlp.gate.weight"):
            ours[f"layers.{layer}.mlp.router.weight"] = tensor
        if module == "experts":  # (E, 2 H, D) or (E, D, H)
            matrix = {"gate_up_proj": "up", "down_proj": "projection"}[name.split(".")[-1]]
            ours |= {f"layers.{layer}.mlp.experts.{number}.{matrix}.weight": each for number, each in enumerate(tensor)}
    return ours


def same_logits(theirs: torch.nn.Module, weights: dict[str, Tensor], **options: Any) -> None:
    ours = GPT(parse(GPTOptions, {**SHAPE, **options}, "model"), vocab_size=11, context_length=16).eval()
    if ours.head is None:
        del weights["head.weight"]
    ours.load_state_dict(weights)
    expected = theirs(ids()).logits
    assert expected.std() > 0.1
    with torch.no_grad():
        torch.testing.assert_close(ours.logits(ours(ids()).features), expected, atol=2e-5, rtol=1e-4)
        state = ours.initial_state(3, 16)  # one by one, as generation reads
        steps = [ours.logits(ours(ids()[:, [place]], state).features) for place in range(16)]
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, atol=5e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_llama_is_transformers_llama(kv_heads: int) -> None:
    config = transformers.LlamaConfig(**THEIRS, num_key_value_heads=kv_heads, intermediate_size=88, rms_norm_eps=1e-5)
    theirs = drawn(transformers.LlamaForCausalLM(config))
    same_logits(theirs, converted(theirs.state_dict(), 8), preset="llama", n_kv_head=kv_heads, n_hidden=88)


@torch.no_grad()
@pytest.mark.parametrize("active", [1, 2])
def test_llama_with_experts_is_transformers_mixtral(active: int) -> None:
    config = transformers.MixtralConfig(
        **THEIRS,
        num_key_value_heads=2,
        intermediate_size=24,
        rms_norm_eps=1e-5,
        num_local_experts=4,
        num_experts_per_tok=active,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
    )
    theirs = drawn(transformers.MixtralForCausalLM(config))
    options = {"n_kv_head": 2, "n_hidden": 24, "n_expert": 4, "n_expert_active": active}
    same_logits(theirs, converted(theirs.state_dict(), 8), preset="llama", **options)


@torch.no_grad()
@pytest.mark.parametrize("head_width", [8, 12])
@pytest.mark.parametrize("tied", [True, False])
def test_qwen3_is_transformers_qwen3(head_width: int, tied: bool) -> None:
    config = transformers.Qwen3Config(
        **THEIRS,
        num_key_value_heads=2,
        intermediate_size=96,
        head_dim=head_width,
        tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
    )
    theirs = drawn(transformers.Qwen3ForCausalLM(config))
    options = {"n_kv_head": 2, "n_hidden": 96, "n_head_width": head_width} | ({} if tied else {"tie_embeddings": False})
    same_logits(theirs, converted(theirs.state_dict(), head_width), preset="qwen3", **options)


@torch.no_grad()
def test_nanochat_is_transformers_nanochat() -> None:
    config = transformers.NanoChatConfig(
        **THEIRS,
        num_key_value_heads=2,
        intermediate_size=128,
        max_position_embeddings=16,
        pad_token_id=0,
        eos_token_id=0,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
    )
    theirs = drawn(transformers.NanoChatForCausalLM(config))
    same_logits(theirs, converted(theirs.state_dict(), 8, swapped=True), preset="nanochat", n_kv_head=2)


def test_modern_is_what_pentad_takes_by_itself() -> None:
    assert all(getattr(GPTOptions(), name) == value for name, value in PRESETS["modern"].items() if name != "norm_eps")


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_is_a_whole_setting(preset: str) -> None:
    """So it stays what it is when a default moves."""
    shared = {"n_layer", "n_head", "n_kv_head", "n_embd", "n_head_width", "n_hidden", "dropout", "pad_vocab_to", "preset"}
    experts = {"n_expert", "n_expert_active", "n_expert_shared", "expert_balance"}
    assert PRESETS[preset].keys() == set(GPTOptions.__dataclass_fields__) - shared - experts


def test_what_is_given_wins_and_counts_as_given() -> None:
    options = parse(GPTOptions, {"preset": "llama", "norm-gain": False, "n-layer": 5}, "model")
    assert (options.activation, options.norm_gain, options.n_layer) == ("swiglu", False, 5)
    assert given(options) == {"preset", "norm_gain", "n_layer"}


def test_the_size_is_chosen_still() -> None:
    options = parse(GPTOptions, {"preset": "qwen3"}, "model")
    left_open = frozenset(GPTOptions.__dataclass_fields__) - given(options)
    known = Situation(train_bytes=10**6, n_train_tokens=400_000, vocab_size=1024, flops=1e13, open=left_open)
    values = dict(advise(options, known).values)
    assert {"n_layer", "n_embd", "n_head"} <= values.keys() and not values.keys() & PRESETS["qwen3"].keys()


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(UsageError) as raised:
        parse(GPTOptions, {"preset": "gpt5"}, "model")
    assert raised.value.code == "option-choice"
    with pytest.raises(ValueError, match="preset"):
        GPTOptions(preset="gpt5")


class TestQwen3WithGates(ModelConformance):
    name = "gpt"
    options = {**SHAPE, "preset": "qwen3", "n_head_width": 6, "n_kv_head": 2, "head_gate": True}
