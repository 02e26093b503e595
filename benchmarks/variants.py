"""The settings that benchmarks/tricks.py compares: a name and what differs from the engine's own choices.

An option is named as on the command line: `model.unet`, `optimizer.lr`, `training.batch_size`; a stage alone (`optimizer`)
names another implementation. A variant that the installed plugins do not know is left out with a word. To add one, add a line,
or give `--also NAME:option=value,option=value`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

Variant = Mapping[str, Any]

BASELINE = "baseline"

_PAIRS = {"model.bigram_hash": 4096}
_VALUES = {"model.value_embeddings": True}
_FACTORS = {"model.residual_scalars": True}
_POLAR = {"optimizer.newton_schulz": "polar-express"}
_CAUTIOUS = {"optimizer.cautious_weight_decay": True}
_BY_RATE = {"optimizer.weight_decay_schedule": "lr"}
_GATES = {"model.head_gate": True, "model.head_gate_channels": 12}

VARIANTS: Mapping[str, Variant] = {
    BASELINE: {},
    "bigram-hash-1024": {"model.bigram_hash": 1024},
    "bigram-hash-4096": _PAIRS,
    "bigram-hash-16384": {"model.bigram_hash": 16_384},
    "bigram-hash-65536": {"model.bigram_hash": 65_536},
    "trigram-hash-16384": {"model.trigram_hash": 16_384},
    "bigram-4096+trigram-16384": {**_PAIRS, "model.trigram_hash": 16_384},
    "bigram-16384+trigram-65536": {"model.bigram_hash": 16_384, "model.trigram_hash": 65_536},
    "value-embeddings": _VALUES,
    "residual-scalars": _FACTORS,
    "residual-scalars-x0-0.1": {**_FACTORS, "model.residual_x0": 0.1},
    "head-gate-12": _GATES,
    "head-gate-all": {"model.head_gate": True},
    "unet": {"model.unet": True},
    "swiglu": {"model.activation": "swiglu"},
    "bigram+values": {**_PAIRS, **_VALUES},
    "bigram+values+scalars+gate": {**_PAIRS, **_VALUES, **_FACTORS, **_GATES},
    "dropout-0.1": {"model.dropout": 0.1},
    "best-fit": {"builder.packing": "best-fit"},
    "best-fit-repacked": {"builder.packing": "best-fit", "builder.repack": True},
    "normuon": {"optimizer": "normuon"},
    "polar-express": _POLAR,
    "polar-express-4": {**_POLAR, "optimizer.ns_steps": 4},
    "polar-express-3": {**_POLAR, "optimizer.ns_steps": 3},
    "newton-schulz-4": {"optimizer.ns_steps": 4},
    "newton-schulz-3": {"optimizer.ns_steps": 3},
    "cautious": _CAUTIOUS,
    "decay-by-rate": _BY_RATE,
    "cautious+decay-by-rate": {**_CAUTIOUS, **_BY_RATE},
    "weight-decay-0": {"optimizer.weight_decay": 0.0},
    "weight-decay-0.4": {"optimizer.weight_decay": 0.4},
    "weight-decay-1.6": {"optimizer.weight_decay": 1.6},
    "cautious-0.4": {**_CAUTIOUS, "optimizer.weight_decay": 0.4},
    "cautious-1.6+decay-by-rate": {**_CAUTIOUS, **_BY_RATE, "optimizer.weight_decay": 1.6},
    "average-0.02": {"optimizer.average": 0.02},
    "average-0.05": {"optimizer.average": 0.05},
    "average-0.1": {"optimizer.average": 0.1},
    "average-0.05+final-lr-0.1": {"optimizer.average": 0.05, "optimizer.final_lr_ratio": 0.1},
    "lr-0.01": {"optimizer.lr": 0.01},
    "lr-0.03": {"optimizer.lr": 0.03},
    "lr-0.05": {"optimizer.lr": 0.05},
    "embedding-lr-0.5": {"optimizer.embedding_lr_ratio": 0.5},
    "embedding-lr-1.5": {"optimizer.embedding_lr_ratio": 1.5},
    "head-lr-0.3": {"optimizer.head_lr_ratio": 0.3},
    "vector-lr-0.5": {"optimizer.vector_lr_ratio": 0.5},
    "warmup-0": {"optimizer.warmup_ratio": 0.0},
    "cosine": {"optimizer.schedule": "cosine"},
    "wsd": {"optimizer.schedule": "wsd", "optimizer.decay_ratio": 0.5},
    "wsd-1-sqrt": {"optimizer.schedule": "wsd", "optimizer.decay_ratio": 0.5, "optimizer.decay_shape": "1-sqrt"},
}
"""Name to options."""


def read_variant(text: str) -> tuple[str, Variant]:
    """Read `NAME:option=value,option=value`; a value is TOML (true, 4096, 0.1), or else a word.

    Raises:
        ValueError: it is not written so.
    """
    name, colon, rest = text.partition(":")
    if not name or not colon:
        raise ValueError(f"expected NAME:option=value,…, found {text!r}")
    return name, dict(read_option(part) for part in rest.split(",") if part)


def read_option(text: str) -> tuple[str, Any]:
    """Read `option=value`.

    Raises:
        ValueError: it is not written so.
    """
    option, equals, value = text.partition("=")
    if not option or not equals:
        raise ValueError(f"expected option=value, found {text!r}")
    try:
        return option.replace("-", "_"), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return option.replace("-", "_"), value
