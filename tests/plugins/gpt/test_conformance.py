from __future__ import annotations

from lm_engine.testing import ModelConformance

SMALL = {"n_layer": 2, "n_head": 2, "n_embd": 16}


class TestDefaults(ModelConformance):
    name = "gpt"
    options = SMALL


class TestGPT2(ModelConformance):
    name = "gpt"
    options = {
        **SMALL,
        "position": "learned",
        "qk_norm": False,
        "norm": "layernorm",
        "norm_gain": True,
        "embedding_norm": False,
        "activation": "gelu-tanh",
        "bias": True,
        "tie_embeddings": True,
        "zero_init_projections": False,
        "logit_softcap": 0.0,
        "init_std": 0.02,
        "dropout": 0.1,
    }


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
