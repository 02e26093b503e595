"""Gates and embeddings of values, written out; attention itself is tested against transformers (test_presets.py)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pentad_gpt.attention import Attention, Setting
from pentad_gpt.options import GPTOptions

IDS = torch.tensor([[3, 1, 4, 1], [0, 5, 2, 6]])


def attention(ids: int | None = None, **options: Any) -> tuple[Attention, Tensor]:
    torch.manual_seed(0)
    made = Attention(GPTOptions(**{"n_head": 4, "n_embd": 16, "qk_norm": False, "position": "none", **options}), ids)
    return made, torch.randn(2, 4, 16)


def by_hand(made: Attention, x: Tensor, values: Tensor) -> Tensor:
    """Return what each head finds (B, T, H, Dh) in values (B, T, Hkv, Dh)."""
    heads = values.shape[2]
    queries, keys = made.query(x).view(2, 4, 4, -1), made.key(x).view(2, 4, heads, -1)
    found = torch.empty_like(queries)
    for row in range(2):
        for head in range(4):
            scores = queries[row, :, head] @ keys[row, :, head * heads // 4].T / queries.shape[-1] ** 0.5
            weights = scores.masked_fill(torch.ones(4, 4).triu(1).bool(), -torch.inf).softmax(-1)
            found[row, :, head] = weights @ values[row, :, head * heads // 4]
    return found


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_embeddings_of_tokens_are_added_to_their_values_by_a_gate_per_head(kv_heads: int) -> None:
    made, x = attention(7, n_kv_head=kv_heads, n_embd=40, n_head_width=4)
    x = torch.randn(2, 4, 40)
    assert made.value_gate.weight.shape == (kv_heads, 32)
    values = made.value(x).view(2, 4, kv_heads, 4)
    for row in range(2):
        for place in range(4):
            for head in range(kv_heads):
                gate = 2 * torch.sigmoid(made.value_gate.weight[head] @ x[row, place, :32])
                embedded = made.value_embedding.weight[IDS[row, place]].view(kv_heads, 4)[head]
                values[row, place, head] = values[row, place, head] + gate * embedded
    expected = made.projection(by_hand(made, x, values).flatten(2))
    torch.testing.assert_close(made(x, Setting(inputs=IDS), None), expected)


def test_gates_of_heads_read_the_first_features() -> None:
    made, x = attention(head_gate=True, head_gate_channels=5)
    assert made.gate.weight.shape == (4, 5)
    mixed = by_hand(made, x, made.value(x).view(2, 4, 4, 4))
    gates = torch.sigmoid(F.linear(x[..., :5], made.gate.weight))
    expected = made.projection((mixed * gates[..., None]).flatten(2))
    torch.testing.assert_close(made(x, Setting(), None), expected)
