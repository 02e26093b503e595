"""The conformance kit: subclass the class of a kind in your tests and its whole contract is tested.

    from pentad.testing import SamplerConformance

    class TestCoin(SamplerConformance):
        name = "coin"

`engine plugins check DIST` runs the same checks from the command line. `raises_code` tests which error a call ends with.
A `Decoder` is tested by `DecoderConformance`, a builder that writes its examples with the model by
`PolicyBuilderConformance`, and the objective that a builder brings by `ObjectiveConformance`; the command line picks them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pentad.testing.conformance import CheckResult, Conformance, NotChecked, require

if TYPE_CHECKING:
    from pentad.testing.beside.adapter import AdapterConformance
    from pentad.testing.beside.command import CommandConformance
    from pentad.testing.beside.corpus import CorpusConformance
    from pentad.testing.beside.evaluator import EvaluatorConformance
    from pentad.testing.beside.executor import ExecutorConformance
    from pentad.testing.beside.format import FormatConformance
    from pentad.testing.beside.observer import ObserverConformance
    from pentad.testing.beside.reader import ReaderConformance
    from pentad.testing.beside.reward import RewardConformance
    from pentad.testing.raising import raises_code
    from pentad.testing.stages.builder import ExampleBuilderConformance
    from pentad.testing.stages.decoder import DecoderConformance
    from pentad.testing.stages.model import ModelConformance
    from pentad.testing.stages.objective import ObjectiveConformance
    from pentad.testing.stages.optimizer import OptimizerConformance
    from pentad.testing.stages.policy import PolicyBuilderConformance
    from pentad.testing.stages.sampler import SamplerConformance
    from pentad.testing.stages.tokenizer import TokenizerConformance

_LAZY = {
    "raises_code": "raising",
    "TokenizerConformance": "stages.tokenizer",
    "ExampleBuilderConformance": "stages.builder",
    "PolicyBuilderConformance": "stages.policy",
    "ObjectiveConformance": "stages.objective",
    "ModelConformance": "stages.model",
    "OptimizerConformance": "stages.optimizer",
    "SamplerConformance": "stages.sampler",
    "DecoderConformance": "stages.decoder",
    "ObserverConformance": "beside.observer",
    "AdapterConformance": "beside.adapter",
    "EvaluatorConformance": "beside.evaluator",
    "FormatConformance": "beside.format",
    "ExecutorConformance": "beside.executor",
    "CorpusConformance": "beside.corpus",
    "ReaderConformance": "beside.reader",
    "RewardConformance": "beside.reward",
    "CommandConformance": "beside.command",
}

__all__ = [
    "AdapterConformance",
    "CheckResult",
    "CommandConformance",
    "Conformance",
    "CorpusConformance",
    "DecoderConformance",
    "EvaluatorConformance",
    "ExampleBuilderConformance",
    "ExecutorConformance",
    "FormatConformance",
    "ModelConformance",
    "NotChecked",
    "ObjectiveConformance",
    "ObserverConformance",
    "OptimizerConformance",
    "PolicyBuilderConformance",
    "ReaderConformance",
    "RewardConformance",
    "SamplerConformance",
    "TokenizerConformance",
    "raises_code",
    "require",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'pentad.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pentad.testing.{_LAZY[name]}"), name)
