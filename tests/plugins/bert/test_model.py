"""The promises of a model, and the logits of the library transformers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pentad import Situation
from pentad.testing import ModelConformance
from pentad_bert.model import BERT
from pentad_bert.options import BERTOptions
from pentad_bert.sizing import LADDER, advise

SMALL: Any = {"n_layer": 2, "n_head": 2, "n_embd": 16}


class TestDefaults(ModelConformance):
    name = "bert"
    options = SMALL


class TestPreset(ModelConformance):
    name = "bert"
    options = {**SMALL, "preset": "bert", "dropout": 0.1}

    def advise(self) -> None:
        """Ask for no advice: it is the same for all options, and asked for above."""


LAYER = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "projection",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "mlp_norm",
}


def converted(theirs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of `BertForMaskedLM` under our names; those of the first sentence are part of the positions."""
    ours = {
        "embedding.weight": theirs["bert.embeddings.word_embeddings.weight"],
        "positions.weight": theirs["bert.embeddings.position_embeddings.weight"]
        + theirs["bert.embeddings.token_type_embeddings.weight"][0],
        "bias": theirs["cls.predictions.bias"],
    }
    for their, our in (
        ("bert.embeddings.LayerNorm", "embedding_norm"),
        ("cls.predictions.transform.dense", "transform"),
        ("cls.predictions.transform.LayerNorm", "transform_norm"),
        *((f"bert.encoder.layer.{n}.{their}", f"layers.{n}.{our}") for n in range(2) for their, our in LAYER.items()),
    ):
        ours |= {f"{our}.{part}": theirs[f"{their}.{part}"] for part in ("weight", "bias")}
    return ours


def test_logits_are_those_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = transformers.BertConfig(vocab_size=11, max_position_embeddings=16, **shape)
    theirs = transformers.BertForMaskedLM(config).eval()
    for name, parameter in theirs.named_parameters():
        torch.nn.init.normal_(parameter, mean=float("LayerNorm.weight" in name), std=0.3)
    ours = BERT(
        BERTOptions(preset="bert", n_layer=2, n_head=4, n_embd=32, n_hidden=64), vocab_size=11, context_length=16
    ).eval()
    ours.load_state_dict(converted(theirs.state_dict()))
    ids = torch.randint(11, (3, 16))
    with torch.no_grad():
        found, expected = ours.logits(ours(ids).features), theirs(ids, attention_mask=torch.ones_like(ids)).logits
    assert expected.std() > 0.3
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("preset", [None, "bert"])
def test_documents_in_a_row_have_the_logits_that_they_have_alone(preset: str | None) -> None:
    torch.manual_seed(0)
    model = BERT(BERTOptions(**SMALL, preset=preset, init_std=0.3), vocab_size=11, context_length=16).eval()
    ids = torch.randint(11, (1, 16))
    segments = torch.tensor([[0] * 6 + [1] * 10])
    with torch.no_grad():
        together = model(ids, None, segments).features
        alone = torch.cat([model(ids[:, :6]).features, model(ids[:, 6:]).features], dim=1)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_heads_must_fit() -> None:
    with pytest.raises(ValueError, match="found 5"):
        BERTOptions(n_embd=10, n_head=2)
    with pytest.raises(ValueError, match="found 10 and 3"):
        BERTOptions(n_embd=10, n_head=3)


def test_more_text_and_a_larger_budget_are_worth_a_larger_model() -> None:
    everything = frozenset({"n_layer", "n_embd", "n_head"})

    def sized(tokens: int) -> tuple[int, int]:
        situation = Situation(
            train_bytes=3 * tokens, n_train_tokens=tokens, tokens=4.0 * tokens, vocab_size=1024, open=everything
        )
        advice = advise(BERTOptions(), situation)
        assert advice is not None
        return advice.values["n_layer"], advice.values["n_embd"]

    sizes = [sized(tokens) for tokens in (10**4, 10**6, 10**8, 10**10)]
    assert sizes == sorted(sizes) and sizes[0] == LADDER[0] and sizes[-1] == LADDER[-1]
    nothing = advise(BERTOptions(), Situation(train_bytes=100, tokens=1e6, vocab_size=300))
    assert nothing is not None and nothing.values == {}
