from __future__ import annotations

from pentad.testing import ModelConformance


class TestLSTM(ModelConformance):
    name = "rnn"
    options = {"n_layer": 2, "n_embd": 16, "n_hidden": 24}


class TestTiedWithDropout(ModelConformance):
    name = "rnn"
    options = {"n_layer": 2, "n_embd": 16, "tie_embeddings": True, "dropout": 0.1}


class TestGRU(ModelConformance):
    name = "rnn"
    options = {"cell": "gru", "n_layer": 2, "n_embd": 16}


class TestBesideCounts(ModelConformance):
    name = "rnn"
    options = {"cell": "gru", "n_layer": 1, "n_embd": 16, "ngram_order": 2}


class TestPlainCell(ModelConformance):
    name = "rnn"
    options = {"cell": "rnn", "n_layer": 1, "n_embd": 16}
