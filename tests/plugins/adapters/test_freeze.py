"""What is left to learn."""

from __future__ import annotations

import pytest
import torch

from pentad import make
from pentad.testing import raises_code
from pentad_adapters.freeze import Freeze
from pentad_adapters.options import FreezeOptions


def trained(**options):
    torch.manual_seed(0)
    model = make("model", "gpt", vocab_size=20, context_length=8, n_layer=3, n_head=2, n_embd=16)
    Freeze(FreezeOptions(**options)).apply(model)
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_the_head():
    assert trained() == {"head.weight"}


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_last_blocks(blocks):
    found = trained(blocks=blocks, head=False)
    assert {int(name.split(".")[1]) for name in found} == set(range(3 - blocks, 3))


def test_more_blocks_than_there_are():
    with raises_code("too-few-blocks"):
        trained(blocks=4)


def test_nothing_named_leaves_nothing():
    assert trained(head=False) == set()
