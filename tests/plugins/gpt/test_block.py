"""What passes between the blocks, written out block by block."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from pentad_gpt.attention import Setting
from pentad_gpt.block import Residuals
from pentad_gpt.model import GPT
from pentad_gpt.options import GPTOptions


def gpt(**options: Any) -> GPT:
    torch.manual_seed(0)
    made = GPT(GPTOptions(**{"n_head": 2, "n_embd": 16, "position": "none", **options}), vocab_size=11, context_length=8)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3)
    return made.eval()


def ids() -> Tensor:
    return torch.randint(11, (3, 8), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def features(model: GPT) -> tuple[Tensor, Tensor, Any]:
    x = model._embed(ids(), None, None)
    return model(ids()).features, x, lambda layer, x: model.layers[layer](x, Setting(), None)


def test_factors_of_the_stream_and_of_the_first_embedding() -> None:
    model = gpt(n_layer=3, residual_scalars=True)
    found, first, block = features(model)
    a, b = model.residuals.stream.tolist(), model.residuals.first.tolist()
    x = block(0, (a[0] + b[0]) * first)
    x = block(1, a[1] * x + b[1] * first)
    x = block(2, a[2] * x + b[2] * first)
    torch.testing.assert_close(found, model.norm(x))


def test_skip_connections_of_an_even_number_of_blocks() -> None:
    model = gpt(n_layer=4, unet=True)
    found, x, block = features(model)
    outer, inner = model.residuals.skips.tolist()
    zeroth = block(0, x)
    first = block(1, zeroth)
    second = block(2, first + inner * first)
    torch.testing.assert_close(found, model.norm(block(3, second + outer * zeroth)))


def test_the_block_in_the_middle_of_an_odd_number_has_none() -> None:
    model = gpt(n_layer=3, unet=True, residual_scalars=True)
    found, first, block = features(model)
    (skip,), (a, b) = model.residuals.skips.tolist(), (model.residuals.stream.tolist(), model.residuals.first.tolist())
    zeroth = block(0, (a[0] + b[0]) * first)
    x = block(1, a[1] * zeroth + b[1] * first)
    x = block(2, a[2] * (x + skip * zeroth) + b[2] * first)
    torch.testing.assert_close(found, model.norm(x))


@pytest.mark.parametrize("start", [0.0, 0.1])
def test_where_the_factors_start(start: float) -> None:
    made = Residuals(GPTOptions(n_layer=5, residual_scalars=True, residual_x0=start, unet=True))
    assert made.stream.tolist() == [1.0] * 5 and made.skips.tolist() == [1.0] * 2
    assert made.first.tolist() == pytest.approx([start] * 5)
    assert not list(Residuals(GPTOptions()).parameters())
