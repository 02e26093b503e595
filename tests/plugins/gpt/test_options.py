from __future__ import annotations

import pytest

from pentad_gpt.options import GPTOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_embd": 30, "n_head": 4}, "n_embd must be a multiple of n_head, found 30 and 4"),
        ({"n_head": 4, "n_kv_head": 3}, "n_head must be a multiple of n_kv_head, found 4 and 3"),
        ({"n_embd": 12, "n_head": 4}, "even head width"),
        ({"norm": "layernorm", "bias": True}, "only with a gain"),
        ({"head_gate_channels": 4}, "needs head_gate"),
        ({"head_gate": True, "head_gate_channels": 129}, "at most n_embd = 128"),
        ({"residual_x0": 0.1}, "needs residual_scalars"),
        ({"unet": True, "n_layer": 1}, "two blocks or more, found 1"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GPTOptions(**options)


def test_odd_heads_need_no_pairs_without_rotary() -> None:
    assert GPTOptions(n_embd=12, n_head=4, position="learned").head_width == 3


@pytest.mark.parametrize(("n_layer", "having"), [(1, [0]), (2, [1]), (3, [0, 2]), (6, [1, 3, 5])])
def test_every_second_block_and_the_last_have_value_embeddings(n_layer: int, having: list[int]) -> None:
    options = GPTOptions(n_layer=n_layer, value_embeddings=True)
    assert [layer for layer in range(n_layer) if options.has_value_embedding(layer)] == having
    assert not GPTOptions(n_layer=n_layer).has_value_embedding(n_layer - 1)


def test_hidden_width() -> None:
    assert GPTOptions(n_embd=256, activation="relu2").hidden == 1024
    assert GPTOptions(n_embd=256).hidden == 680  # 8/3 of 256 is 682.7
    assert GPTOptions(n_embd=256, n_hidden=300).hidden == 300
