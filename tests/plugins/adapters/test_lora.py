"""LoRA's arithmetic by hand, as peft computes it on the output of a layer, and what stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pentad import Choice, SpecialToken, Vocabulary, make
from pentad.testing import raises_code
from pentad_adapters.lora import LoRA, LowRank
from pentad_adapters.options import LoRAOptions


def model(**options):
    torch.manual_seed(0)
    shape = {"n_layer": 2, "n_head": 2, "n_embd": 16, **options}
    return make("model", Choice("gpt", **shape), vocab_size=20, context_length=8).eval()


def adapted(**options):
    made, adapter = model(), LoRA(LoRAOptions(**options))
    adapter.apply(made)
    return made, adapter


def test_a_worked_example():
    """x W^T + alpha / rank * (x A^T) B^T, on numbers that can be followed: 3 inputs, 2 outputs, rank 1, alpha 4."""
    weight, x = np.array([[1.0, 0, 2], [0, 1, -1]]), np.array([1.0, 2, 3])
    a, b = np.array([[1.0, -1, 1]]), np.array([[0.5], [-1.0]])
    low = LowRank(torch.tensor(weight), LoRAOptions(rank=1, alpha=4.0)).double()
    with torch.no_grad():
        low.a.copy_(torch.tensor(a))
        low.b.copy_(torch.tensor(b))
        found = low(torch.tensor(weight)) @ torch.tensor(x)
    # x W^T = (7, -1); x A^T = 2; times 4 / 1 and B: (4, -8).
    assert found.tolist() == [11.0, -9.0]
    assert np.allclose(found.numpy(), x @ weight.T + 4.0 * (x @ a.T) @ b.T)


def test_a_starts_within_pefts_bound_and_b_at_zero():
    low = LowRank(torch.zeros(50, 400), LoRAOptions(rank=8))
    assert not low.b.any() and 0.9 / 20 < float(low.a.detach().abs().max()) <= 1 / 20


def test_dropout_leaves_out_whole_input_features_and_keeps_the_mean():
    low = LowRank(torch.zeros(1, 2000), LoRAOptions(rank=1, alpha=1.0, dropout=0.25))
    with torch.no_grad():
        low.a.fill_(1.0)
        low.b.fill_(1.0)
    torch.manual_seed(0)
    product = low(torch.zeros(1, 2000))[0].detach()
    assert {round(value, 4) for value in product.tolist()} == {0.0, 1.3333}
    assert float(product.mean()) == pytest.approx(1, abs=0.05)
    assert low.eval()(torch.zeros(1, 2000)).unique().tolist() == [1.0]


def test_names_choose_the_matrices():
    made, _ = adapted(matrices=("layers.1.*",))
    trained = {name for name, parameter in made.named_parameters() if parameter.requires_grad}
    assert trained and all(name.startswith("layers.1.") for name in trained)
    with raises_code("no-such-matrix") as caught:
        adapted(matrices=("attn.*",))
    assert "layers.0." in str(caught.value.hint)


@pytest.mark.parametrize("tied", [True, False])
def test_embedding_and_head_stay_as_they_are(tied):
    made = model(tie_embeddings=tied)
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    adapter = LoRA(LoRAOptions())
    adapter.apply(made)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1)
    adapter.merge(made)
    after = made.state_dict()
    assert after.keys() == before.keys()
    for name in sorted(made.token_parameters()):
        assert torch.equal(before[name], after[name])
    assert not torch.equal(before["layers.0.mlp.up.weight"], after["layers.0.mlp.up.weight"])


@pytest.mark.parametrize("tied", [True, False])
def test_rows_of_special_tokens_are_learned_where_asked_and_those_of_the_text_stay(tied):
    made = model(tie_embeddings=tied)
    vocabulary = Vocabulary(tokenizer_size=18, end_of_text=17, special=(SpecialToken(name="a"), SpecialToken(name="b")))
    before = {name: made.get_parameter(name).detach().clone() for name in made.token_parameters()}
    tokens = torch.tensor([[1, 18, 2, 19]])
    plain = made.logits(made(tokens).features)
    adapter = LoRA(LoRAOptions(special_tokens=True), vocabulary=vocabulary)
    adapter.apply(made)
    assert torch.equal(made.logits(made(tokens).features), plain)
    made.logits(made(tokens).features).square().sum().backward()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("rows"):
                assert parameter.requires_grad and parameter.grad is not None
                parameter.add_(1.0)
    adapter.merge(made)
    for name, rows in before.items():
        after = made.get_parameter(name)
        assert torch.equal(after[:18], rows[:18]) and torch.equal(after[20:], rows[20:])
        assert torch.allclose(after[18:20], rows[18:20] + 1)


def test_merging_in_training_leaves_no_dropout_in_the_matrices():
    made, adapter = adapted(dropout=0.9)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1)
    tokens = torch.arange(8)[None]
    expected = made.logits(made(tokens).features)
    adapter.merge(made.train())
    assert made.training
    assert torch.allclose(made.eval().logits(made(tokens).features), expected, atol=1e-5)


def test_matrices_of_experts_are_adapted_and_the_router_is_not():
    made = model(n_expert=2)
    LoRA(LoRAOptions()).apply(made)
    trained = {name for name, parameter in made.named_parameters() if parameter.requires_grad}
    assert sum(".experts." in name for name in trained) == 2 * 2 * 2 * 2  # layers, experts, matrices, a and b
    assert not any(".router." in name for name in trained)
