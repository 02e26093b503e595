"""Stages as a run makes them: by name and options, through the catalogue of installed plugins."""

from __future__ import annotations

import functools
from typing import Any, cast

import numpy as np
import torch

from pentad import Catalogue, ExampleBuilder, Model, Optimization, Sampler
from pentad.config.options import parse
from pentad.config.tables import TrainingOptions
from pentad.contracts.batch import Tokens
from pentad.inference.net import Forward, ModelNet
from pentad.system.machine import Machine
from pentad.train.trainer import Trainer, named_parameters

VOCABULARY = 65
"""As many as Shakespeare's characters, the text on which small trainers are usually timed. The last id ends a document."""

GPT2: dict[str, Any] = {
    "position": "learned",
    "previous_tokens": 0,
    "ngram_order": 0,
    "qk_norm": False,
    "norm": "layernorm",
    "norm_gain": True,
    "embedding_norm": False,
    "activation": "gelu",
    "bias": False,
    "tie_embeddings": True,
    "zero_init_projections": False,
    "logit_softcap": 0,
    "init_std": 0.02,
}
"""GPT-2 (2019) as nanoGPT trains it: without biases, with the exact GELU."""


@functools.cache
def catalogue() -> Catalogue:
    """Return what is installed, looked up once."""
    return Catalogue()


def make(kind: str, name: str, *arguments: Any, options: dict[str, Any] | None = None, **keywords: Any) -> Any:
    """Return a stage: its factory, called with its options."""
    offer = catalogue().find(kind, name)
    return offer.make(parse(offer.options, options or {}, kind), *arguments, **keywords)


def make_model(name: str, context_length: int, vocab_size: int = VOCABULARY, **options: Any) -> Model:
    """Return a freshly initialised model, the same each time."""
    torch.manual_seed(0)
    return cast(Model, make("model", name, options=options, vocab_size=vocab_size, context_length=context_length))


def make_sampler(name: str) -> Sampler:
    """Return a sampler with its defaults."""
    return cast(Sampler, make("sampler", name))


def random_text(n_tokens: int = 1_000_000, vocab_size: int = VOCABULARY) -> Tokens:
    """Return one long document of random ids: speed does not depend on what the text says."""
    tokens = np.random.default_rng(0).integers(vocab_size - 1, size=n_tokens, dtype=np.uint16)
    tokens[[0, -1]] = vocab_size - 1
    return Tokens.of(tokens, vocab_size - 1)


def make_builder(context_length: int, vocab_size: int = VOCABULARY) -> ExampleBuilder:
    """Return the builder next-token."""
    return cast(
        ExampleBuilder,
        make("builder", "next-token", context_length=context_length, vocab_size=vocab_size, end_of_text=vocab_size - 1),
    )


def make_trainer(
    model: Model,
    machine: Machine,
    tokens: Tokens,
    *,
    context_length: int,
    batch_size: int,
    optimizer: str = "adamw",
    forward: Forward | None = None,
) -> Trainer:
    """Return the engine's trainer of a model."""
    optimization = cast(Optimization, make("optimizer", optimizer, named_parameters(model)))
    options = TrainingOptions(batch_size=batch_size, context_length=context_length)
    net = ModelNet(model, machine, forward=forward)
    return Trainer(net, optimization, make_builder(context_length, model.vocab_size), tokens, options)
