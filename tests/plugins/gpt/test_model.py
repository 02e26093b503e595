from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pentad import Output
from pentad.speed.recomputing import recompute_blocks
from pentad.testing import raises_code
from pentad_gpt.model import GPT
from pentad_gpt.options import GPTOptions

RECIPE = Path(__file__).parents[3] / "examples" / "recipes" / "gpt2-small.toml"
GPT2 = {
    key: value
    for key, value in tomllib.loads(RECIPE.read_text())["model"].items()
    if key not in ("name", "n_layer", "n_head", "n_embd", "pad_vocab_to")
}


def gpt(**options: object) -> GPT:
    torch.manual_seed(0)
    small = {"n_layer": 2, "n_head": 4, "n_embd": 32, "zero_init_projections": False}
    return GPT(GPTOptions(**{**small, **options}), vocab_size=11, context_length=16)


def ids(batch: int = 3, length: int = 16) -> Tensor:
    return torch.randint(11, (batch, length), generator=torch.Generator().manual_seed(0))


def logits(model: GPT, inputs: Tensor, **more: Tensor) -> Tensor:
    return model.logits(model(inputs, **more).features)


@pytest.fixture(scope="module")
def pair() -> tuple[GPT, torch.nn.Module]:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=11, n_positions=16, n_embd=32, n_layer=2, n_head=4)
    theirs = transformers.GPT2LMHeadModel(config).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    ours = gpt(**GPT2).eval()
    ours.load_state_dict(converted(theirs.state_dict()))
    return ours, theirs


class TestGPT2:
    def test_logits(self, pair: tuple[GPT, torch.nn.Module]) -> None:
        ours, theirs = pair
        torch.testing.assert_close(logits(ours, ids()), theirs(ids()).logits, atol=1e-4, rtol=1e-4)

    def test_cached_generation(self, pair: tuple[GPT, torch.nn.Module]) -> None:
        ours, theirs = pair
        tokens, state = ids(length=3), ours.initial_state(3, 16)
        mask = torch.ones_like(tokens)  # else id 0 is taken for padding
        expected = theirs.generate(
            tokens, attention_mask=mask, max_length=16, do_sample=False, pad_token_id=0, eos_token_id=None
        )
        latest = tokens
        while tokens.shape[1] < 16:
            output = ours(latest, state)
            latest, state = ours.logits(output.features[:, -1]).argmax(-1, keepdim=True), output.state
            tokens = torch.cat((tokens, latest), dim=1)
        assert torch.equal(tokens, expected)


def converted(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename GPT-2's parameters; its matrices are stored (inputs, outputs), and queries, keys, values as one."""
    ours = {
        "embedding.weight": theirs["transformer.wte.weight"],
        "positions.weight": theirs["transformer.wpe.weight"],
        "norm.weight": theirs["transformer.ln_f.weight"],
        "norm.bias": theirs["transformer.ln_f.bias"],
    }
    names = {
        "ln_1": "attention_norm",
        "ln_2": "mlp_norm",
        "attn.c_proj": "attention.projection",
        "mlp.c_fc": "mlp.up",
        "mlp.c_proj": "mlp.projection",
    }
    for layer in range(2):
        for old, new in names.items():
            for part in ("weight", "bias"):
                ours[f"layers.{layer}.{new}.{part}"] = theirs[f"transformer.h.{layer}.{old}.{part}"].t()
        for part in ("weight", "bias"):
            stacked = theirs[f"transformer.h.{layer}.attn.c_attn.{part}"].t().chunk(3)
            for name, piece in zip(("query", "key", "value"), stacked, strict=True):
                ours[f"layers.{layer}.attention.{name}.{part}"] = piece
    return ours


@pytest.mark.parametrize("activation", ["relu2", "gelu", "silu", "relu", "swiglu"])
@pytest.mark.parametrize("position", ["rotary", "learned", "none"])
def test_packed_documents_have_the_logits_that_they_have_alone(position: str, activation: str) -> None:
    model = gpt(position=position, activation=activation).eval()
    inputs, segments = ids(1), torch.tensor([[0] * 5 + [1] * 7 + [2] * 4])
    packed = logits(model, inputs, segments=segments)[0]
    for start, end in ((0, 5), (5, 12), (12, 16)):
        torch.testing.assert_close(packed[start:end], logits(model, inputs[:, start:end])[0], atol=1e-5, rtol=1e-4)


def test_grouped_heads_equal_repeated_ones() -> None:
    grouped, full = gpt(n_kv_head=2), gpt()
    weights = grouped.state_dict()
    for layer in range(2):
        for name in ("key", "value"):
            key = f"layers.{layer}.attention.{name}.weight"
            weights[key] = weights[key].view(2, 8, 32).repeat_interleave(2, dim=0).reshape(32, 32)
    full.load_state_dict(weights)
    torch.testing.assert_close(logits(grouped, ids()), logits(full, ids()))


def test_padded_ids_are_no_part_of_the_logits() -> None:
    padded = gpt(pad_vocab_to=8)
    assert padded.embedding.weight.shape == padded.head.weight.shape == (16, 32)
    assert logits(padded, ids()).shape == (3, 16, 11)


def test_logits_are_bounded_by_the_softcap() -> None:
    model = gpt(logit_softcap=3.0)
    torch.nn.init.normal_(model.head.weight, std=100)
    assert logits(model, ids()).abs().max() <= 3


def test_zero_projections_start_as_the_embedding_alone() -> None:
    model = gpt(zero_init_projections=True)
    x = F.rms_norm(model.embedding(ids()), (32,), eps=1e-6)
    torch.testing.assert_close(model(ids()).features, F.rms_norm(x, (32,), eps=1e-6))


def test_initial_size_of_the_matrices() -> None:
    model = gpt(n_embd=64, bias=True, activation="relu2")
    block = model.layers[0]
    assert block.attention.query.weight.std().item() == pytest.approx(1 / 8, rel=0.1)
    assert block.attention.projection.weight.std().item() == pytest.approx(1 / 8 / math.sqrt(4), rel=0.1)
    assert block.mlp.projection.weight.std().item() == pytest.approx(1 / 16 / math.sqrt(4), rel=0.1)
    assert not block.mlp.up.bias.any()


MORE = {
    "previous_tokens": 3,
    "bigram_hash": 64,
    "trigram_hash": 64,
    "value_embeddings": True,
    "head_gate": True,
    "residual_scalars": True,
    "unet": True,
}


@pytest.mark.parametrize("options", [{}, GPT2, {"activation": "relu2", "n_kv_head": 2, "norm_gain": True}, MORE])
@pytest.mark.parametrize("packed", [False, True])
def test_compiles_as_one_graph_to_the_same_logits(options: dict[str, object], packed: bool) -> None:
    model = gpt(**options)
    segments = torch.arange(16).div(6, rounding_mode="floor").expand(3, -1) if packed else None
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    found, expected = compiled(ids(), None, segments).features, model(ids(), None, segments).features
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    found.sum().backward()


def test_compiled_it_learns_from_the_same_elements_with_dropout() -> None:
    model = gpt(dropout=0.3).train()
    model.use_kernels({"attention": "products"})
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")

    def gradients(forward: Callable[..., Output]) -> list[Tensor]:
        torch.manual_seed(0)
        model.zero_grad()
        model.logits(forward(ids(), None, None).features).logsumexp(-1).sum().backward()
        return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]

    for found, expected in zip(gradients(compiled), gradients(model), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_gates_scalars_and_pairs_start_as_if_they_were_not_there() -> None:
    plain, more = gpt(), gpt(previous_tokens=2, bigram_hash=64, trigram_hash=64, residual_scalars=True)
    more.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(logits(plain, ids()), logits(more, ids()))
    assert not more.bigrams.table.weight.any() and not more.trigrams.table.weight.any()
    block = gpt(head_gate=True, value_embeddings=True, n_embd=64).layers[1].attention
    assert not block.gate.weight.any() and not block.value_gate.weight.any()
    assert block.value_embedding.weight.std().item() == pytest.approx(1 / 8, rel=0.1)


def test_tables_go_with_the_embeddings_and_factors_with_the_vectors() -> None:
    model = gpt(**MORE, pad_vocab_to=8)
    roles, tables = model.roles(), {"embedding.weight", "layers.1.attention.value_embedding.weight"}
    assert {name for name, role in roles.items() if role == "embedding"} == {
        *tables,
        "bigrams.table.weight",
        "trigrams.table.weight",
    }
    assert {name for name, role in roles.items() if role == "vector"} == {
        "residuals.stream",
        "residuals.first",
        "residuals.skips",
    }
    assert model.token_parameters() == {*tables, "head.weight"}


def test_packed_documents_know_nothing_of_each_other_s_last_token() -> None:
    model = gpt(**MORE).eval()
    for ngrams in (model.bigrams, model.trigrams):
        torch.nn.init.normal_(ngrams.table.weight)
    inputs, segments = ids(1), torch.tensor([[0] * 5 + [1] * 7 + [2] * 4])
    packed = logits(model, inputs, segments=segments)[0]
    for start, end in ((0, 5), (5, 12), (12, 16)):
        torch.testing.assert_close(packed[start:end], logits(model, inputs[:, start:end])[0], atol=1e-5, rtol=1e-4)


def test_recomputed_blocks_give_the_same_gradients() -> None:
    gradients = []
    for recompute in (False, True):
        model = gpt(**MORE, n_layer=4, dropout=0.1).train()
        torch.nn.init.normal_(model.trigrams.table.weight)
        if recompute:
            recompute_blocks(model)
        torch.manual_seed(1)
        logits(model, ids(), segments=torch.arange(16).div(6, rounding_mode="floor").expand(3, -1)).square().sum().backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    torch.testing.assert_close(*gradients)


def test_the_cache_takes_the_precision_of_the_keys() -> None:
    model = gpt().bfloat16()
    state = model.initial_state(3, 16)
    with torch.no_grad():
        model(ids(), state)
    assert state.layers[0].keys.dtype == torch.bfloat16


def test_no_state_when_it_looks_both_ways() -> None:
    model = gpt()
    model.causal = False
    with raises_code("state-not-causal"):
        model.initial_state(1, 16)


def test_no_state_beyond_the_context() -> None:
    with raises_code("sequence-too-long"):
        gpt().initial_state(1, 17)


def test_attention_of_short_rows_in_bf16_is_by_products_unless_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[bool] = []
    monkeypatch.setattr("pentad_gpt.attention.attend_by_products", lambda *args: used.append(True) or args[2])
    model = gpt()

    def by_products(chosen: dict[str, str], *, bf16: bool) -> bool:
        used.clear()
        model.use_kernels(chosen)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            model(ids())
        return bool(used)

    assert by_products({}, bf16=True) and not by_products({}, bf16=False)
    assert by_products({"attention": "products"}, bf16=False) and not by_products({"attention": "torch"}, bf16=True)

    model = gpt(dropout=0.1)
    assert by_products({}, bf16=False) and not by_products({"attention": "torch"}, bf16=False)
    model.eval()
    assert not by_products({}, bf16=False)
