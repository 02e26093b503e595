from __future__ import annotations

from pentad.testing import ModelConformance

SMALL = {"n_layer": 2, "n_head": 2, "n_embd": 16, "chunk": 5}


class TestGatedDeltaNet(ModelConformance):
    name = "gated-deltanet"
    options = SMALL


class TestGatedDeltaNetWithDropout(ModelConformance):
    name = "gated-deltanet"
    options = {**SMALL, "value_ratio": 1.5, "conv_size": 3, "dropout": 0.1, "chunk": 16, "logit_softcap": 0.0}


class TestRetNet(ModelConformance):
    name = "retnet"
    options = {**SMALL, "value_ratio": 2.0}


class TestMinGRU(ModelConformance):
    name = "mingru"
    options = {"n_layer": 2, "n_embd": 16}


class TestMinGRUWithDropout(ModelConformance):
    name = "mingru"
    options = {"n_layer": 1, "n_embd": 16, "expansion": 0.5, "conv_size": 1, "dropout": 0.1, "logit_softcap": 0.0}


class TestLinearAttention(ModelConformance):
    name = "linear-attention"
    options = SMALL
