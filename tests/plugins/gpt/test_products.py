"""Products with weights of int8, and what is written with them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pentad.testing import raises_code
from pentad_gpt import products
from pentad_gpt.model import GPT
from pentad_gpt.options import GPTOptions
from pentad_gpt.products import Int8Product, Product, arranged, int8_is_there

pytestmark = pytest.mark.skipif(not int8_is_there(), reason="this build of torch has no products with weights of int8")

LLAMA = {"activation": "swiglu", "n_kv_head": 2, "norm_gain": True, "qk_norm": False}
GPT2 = {"position": "learned", "qk_norm": False, "norm": "layernorm", "norm_gain": True, "bias": True}
GATED = {"value_embeddings": True, "head_gate": True, "bias": True}
JOINED = {"residual_scalars": True, "unet": True, "bigram_hash": 7}


def matrix(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "INT8_FROM", 0)


def gpt(**options: object) -> GPT:
    torch.manual_seed(0)
    shape = {"n_layer": 2, "n_head": 4, "n_embd": 64, **options}
    model = GPT(GPTOptions(**shape), vocab_size=11, context_length=16).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3 if parameter.ndim == 1 else 0.15)
    return model


@torch.no_grad()
def one_at_a_time(model: GPT, inputs: Tensor) -> Tensor:
    state = model.initial_state(*inputs.shape)
    return torch.cat([model.logits(model(piece, state).features) for piece in inputs.split(1, dim=1)], dim=1)


def ids(batch: int = 3) -> Tensor:
    return torch.randint(11, (batch, 16), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("bias", [None, torch.arange(24.0)])
@pytest.mark.parametrize("rows", [1, 5])
def test_a_rounded_product_is_near(bias: Tensor | None, rows: int) -> None:
    weight, x = matrix(24, 65), matrix(rows, 65, seed=1)
    expected = x @ weight.t() + (0 if bias is None else bias)
    rounded = Int8Product(weight, bias)
    error = (rounded(x) - expected).abs().max()
    assert 0 < error < 0.02 * (x @ weight.t()).abs().max()
    added = torch.ones(rows, 24)
    rounded.add_to(added, x)
    torch.testing.assert_close(added, rounded(x) + 1)


def test_rows_do_not_touch_each_other() -> None:
    rounded, x = Int8Product(matrix(24, 64), None), matrix(4, 64, seed=1)
    alone = torch.cat([rounded(row[None]) for row in x])
    loud = torch.cat((x, 1e6 * matrix(1, 64, seed=2)))
    assert torch.equal(rounded(x), alone)
    assert torch.equal(rounded(loud)[:4], alone)


def test_rows_of_the_matrix_are_rounded_apart_and_zeros_stay() -> None:
    weight, x = matrix(24, 64), matrix(2, 64, seed=1)
    weight[3], weight[4], x[1] = 1e-6 * weight[3], 0, 0
    found = Int8Product(weight, None)(x)
    assert (found[0, 3] - x[0] @ weight[3]).abs() < 0.05 * weight[3].norm() * x[0].norm() / 8
    assert not found[:, 4].any()
    assert not found[1].any()


def test_what_is_not_a_number_stays_none() -> None:
    found = Int8Product(matrix(24, 64), None)(torch.tensor([[float("nan")] * 64, [1.0] * 64]))
    assert found[0].isnan().all()


def test_only_large_matrices_are_rounded() -> None:
    small, large = nn.Linear(64, 64), nn.Linear(512, 256)
    assert type(arranged((small,), int8=True)) is Product
    assert type(arranged((large,), int8=True)) is Int8Product
    assert type(arranged((large,))) is Product


def test_a_processor_that_saturates_gets_smaller_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_multiply", lambda *_: torch.tensor([[256.0]]))
    products._steps.cache_clear()
    assert products._steps() == 63
    monkeypatch.undo()
    products._steps.cache_clear()
    assert products._steps() in (63, 127)


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("options", [{}, LLAMA, GPT2, GATED, JOINED])
@pytest.mark.parametrize("batch", [1, 3])
def test_logits_are_near_those_of_the_weights_as_trained(options: dict[str, object], batch: int) -> None:
    model, inputs = gpt(**options), ids(batch)
    before = one_at_a_time(model, inputs)
    model.use_generation_weights("int8")
    found = one_at_a_time(model, inputs)
    spread = (before.amax(-1) - before.amin(-1)).clamp_min(1e-6)
    assert 0 < ((found - before).abs().amax(-1) / spread).max() < 0.15
    torch.testing.assert_close(model.logits(model(inputs).features), before, atol=1e-4, rtol=1e-4)  # all at once: as trained
    model.use_generation_weights(None)
    assert torch.equal(one_at_a_time(model, inputs), before)


def test_what_cannot_be_rounded_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with raises_code("weights-not-faster"):
        gpt().use_generation_weights("int8")
    monkeypatch.setattr("pentad_gpt.model.int8_is_there", lambda: False)
    with raises_code("weights-unsupported"):
        gpt(n_embd=256).use_generation_weights("int8")
    assert not gpt(n_expert=2).generation_weights()
