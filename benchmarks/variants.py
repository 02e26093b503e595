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
_GATES = {"model.head_gate": True, "model.head_gate_channels": 12}

VARIANTS: Mapping[str, Variant] = {
    BASELINE: {},
    "bigram-hash-1024": {"model.bigram_hash": 1024},
    "bigram-hash-4096": _PAIRS,
    "bigram-hash-16384": {"model.bigram_hash": 16_384},
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
    "polar-express": {"optimizer.newton_schulz": "polar-express"},
    "cautious": {"optimizer.cautious_weight_decay": True},
    "decay-by-rate": {"optimizer.weight_decay_schedule": "lr"},
    "cautious+decay-by-rate": {"optimizer.cautious_weight_decay": True, "optimizer.weight_decay_schedule": "lr"},
    "average-0.1": {"optimizer.average": 0.1},
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
