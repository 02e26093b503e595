"""(IA)^3: a number beside each output, which starts at one."""

from __future__ import annotations

import torch

from pentad import Catalogue, Choice, make
from pentad.testing import AdapterConformance, raises_code
from pentad_adapters.ia3 import IA3
from pentad_adapters.options import IA3Options


class TestIA3(AdapterConformance):
    name = "ia3"


class TestIA3OnOneMatrix(AdapterConformance):
    name = "ia3"
    options = {"matrices": ("up.*",)}


def model():
    choice = Choice("gpt", n_layer=1, n_head=2, n_embd=16)
    return make("model", choice, catalogue=Catalogue(), vocab_size=20, context_length=8).eval()


def test_each_output_is_multiplied_by_its_own_number():
    made = model()
    before = made.layers[0].mlp.up.weight.detach().clone()
    IA3(IA3Options(matrices=("*.mlp.up.weight",))).apply(made)
    learned = {name: parameter for name, parameter in made.named_parameters() if parameter.requires_grad}
    assert [tuple(parameter.shape) for parameter in learned.values()] == [(len(before),)]
    with torch.no_grad():
        next(iter(learned.values())).copy_(torch.arange(len(before)) / 7)
    inputs = torch.randn(3, 16)
    found = torch.nn.functional.linear(inputs, made.layers[0].mlp.up.weight)
    assert torch.allclose(found, torch.nn.functional.linear(inputs, before) * torch.arange(len(before)) / 7, atol=1e-5)


def test_a_matrix_that_is_not_there_is_refused():
    with raises_code("no-such-matrix"):
        IA3(IA3Options(matrices=("nothing",))).apply(model())
