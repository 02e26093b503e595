from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pentad_gpt.cache import Cache
from pentad_gpt.model import GPT
from pentad_gpt.options import GPTOptions

LLAMA = {"activation": "swiglu", "n_kv_head": 2, "norm_gain": True, "qk_norm": False, "n_hidden": 20}
GPT2 = {"position": "learned", "qk_norm": False, "norm": "layernorm", "norm_gain": True, "bias": True}
UNTURNED = {"position": "none", "bias": True}
GATED = {"value_embeddings": True, "head_gate": True, "head_gate_channels": 5, "n_kv_head": 2}
NGRAMS = {"bigram_hash": 7, "trigram_hash": 13}
PREVIOUS = {"previous_tokens": 3}
JOINED = {"residual_scalars": True, "unet": True, "n_layer": 5}
ODD_AND_BIASED = {"bias": True, "value_embeddings": True, "n_head": 6, "n_kv_head": 3, "n_embd": 48}
LAYER_NORM = {"norm": "layernorm", "n_kv_head": 1}


def gpt(**options: object) -> GPT:
    torch.manual_seed(0)
    options = {"n_layer": 2, "n_head": 4, "n_embd": 32, **options}
    model = GPT(GPTOptions(**options), vocab_size=11, context_length=16).eval()
    for parameter in model.parameters():  # gains, biases and output matrices too
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3)
    return model


def ids(batch: int, length: int = 16) -> Tensor:
    return torch.randint(11, (batch, length), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def in_pieces(model: GPT, inputs: Tensor, *lengths: int) -> tuple[Tensor, Cache]:
    state = model.initial_state(len(inputs), sum(lengths))
    return torch.cat([model.logits(model(piece, state).features) for piece in inputs.split(lengths, dim=1)], dim=1), state


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    "options", [{}, LLAMA, GPT2, UNTURNED, LAYER_NORM, {"qk_norm": False}, GATED, NGRAMS, PREVIOUS, JOINED, ODD_AND_BIASED]
)
def test_one_at_a_time_gives_the_logits_of_all_at_once(options: dict[str, object], batch: int) -> None:
    model, inputs = gpt(**options), ids(batch)
    expected = model.logits(model(inputs).features)
    found, state = in_pieces(model, inputs, *[1] * 16)
    assert state.decoder is not None
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, NGRAMS, PREVIOUS])
def test_pieces_of_any_length_follow_each_other(options: dict[str, object]) -> None:
    model, inputs = gpt(n_kv_head=2, **options), ids(3)
    found, _ = in_pieces(model, inputs, 5, 1, 1, 6, 1, 2)
    torch.testing.assert_close(found, model.logits(model(inputs).features), atol=1e-4, rtol=1e-4)


def test_vectors_of_no_length() -> None:
    model = gpt(embedding_norm=False)
    torch.nn.init.zeros_(model.embedding.weight)
    assert not in_pieces(model, ids(2), *[1] * 16)[0].any()


def test_the_model_is_left_as_it_was() -> None:
    model = gpt()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    in_pieces(model, ids(2), *[1] * 16)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_new_state_knows_new_weights() -> None:
    model, inputs = gpt(), ids(2)
    before, _ = in_pieces(model, inputs, *[1] * 16)
    with torch.no_grad():
        model.layers[0].attention.value.weight.mul_(3)
    found, _ = in_pieces(model, inputs, *[1] * 16)
    assert not torch.allclose(found, before, atol=1e-2)
    torch.testing.assert_close(found, model.logits(model(inputs).features), atol=1e-4, rtol=1e-4)


def test_gradients_go_through_the_blocks() -> None:
    model = gpt()
    output = model(ids(2, 1), model.initial_state(2, 16))
    state = output.state
    output.features.sum().backward()
    assert state.decoder is None and model.layers[0].attention.value.weight.grad.any()


@torch.no_grad()
def test_training_goes_through_the_blocks() -> None:
    model = gpt(dropout=0.5).train()
    assert model(ids(2, 1), model.initial_state(2, 16)).state.decoder is None


@torch.no_grad()
def test_other_precisions_go_through_the_blocks() -> None:
    model = gpt()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(ids(2, 1), model.initial_state(2, 16)).state.decoder is None
    model.double()
    assert model(ids(2, 1), model.initial_state(2, 16)).state.decoder is None
