from __future__ import annotations

import tomllib
from pathlib import Path

from pentad.testing import ModelConformance

RECIPE = Path(__file__).parents[3] / "examples" / "recipes" / "gpt2-small.toml"
GPT2 = {key: value for key, value in tomllib.loads(RECIPE.read_text())["model"].items() if key != "name"}
SMALL = {"n_layer": 2, "n_head": 2, "n_embd": 16}


class TestDefaults(ModelConformance):
    name = "gpt"
    options = SMALL


class TestGPT2(ModelConformance):
    name = "gpt"
    options = {**GPT2, **SMALL, "dropout": 0.1}


class TestLlama(ModelConformance):
    name = "gpt"
    options = {
        **SMALL,
        "n_head": 4,
        "n_kv_head": 2,
        "qk_norm": False,
        "norm_gain": True,
        "activation": "swiglu",
        "zero_init_projections": False,
        "embedding_norm": False,
        "logit_softcap": 0.0,
        "pad_vocab_to": 8,
    }


class TestEachTokenKnownByMore(ModelConformance):
    name = "gpt"
    options = {
        **SMALL,
        "n_layer": 3,
        "n_kv_head": 1,
        "previous_tokens": 2,
        "bigram_hash": 37,
        "trigram_hash": 41,
        "value_embeddings": True,
        "head_gate": True,
        "head_gate_channels": 12,
        "residual_scalars": True,
        "residual_x0": 0.1,
        "unet": True,
    }


class TestExperts(ModelConformance):
    name = "gpt"
    options = {**SMALL, "n_expert": 4, "n_expert_active": 2, "expert_balance": 0.1, "value_embeddings": True, "unet": True}


class TestBesideCounts(ModelConformance):
    name = "gpt"
    options = {**SMALL, "ngram_order": 3}


class TestBesideCountsOfSingleTokens(ModelConformance):
    name = "gpt"
    options = {**SMALL, "ngram_order": 1, "ngram_weight": 1.0}
