"""The conformance kit: subclass a stage's class in your tests and the whole contract of the stage is tested.

    from pentad.testing import SamplerConformance

    class TestCoin(SamplerConformance):
        name = "coin"

`engine plugins check DIST` runs the same checks from the command line. `raises_code` tests which error a call ends with.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pentad.testing.conformance import CheckResult, Conformance, require

if TYPE_CHECKING:
    from pentad.testing.builder import ExampleBuilderConformance
    from pentad.testing.model import ModelConformance
    from pentad.testing.optimizer import OptimizerConformance
    from pentad.testing.raising import raises_code
    from pentad.testing.sampler import SamplerConformance
    from pentad.testing.tokenizer import TokenizerConformance

_LAZY = {
    "TokenizerConformance": "tokenizer",
    "raises_code": "raising",
    "ExampleBuilderConformance": "builder",
    "ModelConformance": "model",
    "OptimizerConformance": "optimizer",
    "SamplerConformance": "sampler",
}

__all__ = [
    "CheckResult",
    "Conformance",
    "ExampleBuilderConformance",
    "ModelConformance",
    "OptimizerConformance",
    "SamplerConformance",
    "TokenizerConformance",
    "raises_code",
    "require",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'pentad.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pentad.testing.{_LAZY[name]}"), name)
