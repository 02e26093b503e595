"""What plugins can offer: one entry a kind, with its hook, its record, its contract and its checks."""

from __future__ import annotations

from typing import Any, NamedTuple

from pentad.config.stages import STAGE_SPECS
from pentad.registry.records import (
    Adapter,
    Command,
    Corpus,
    Evaluator,
    Executor,
    Implementation,
    Observer,
    Reader,
)

_BESIDE = "pentad.testing.beside"


class Kind(NamedTuple):
    """One kind of thing that plugins offer.

    Args:
        hook: asked for it.
        record: what the hook must return a list of.
        contracts: `module:Class` of what the record's factory must return, one of them; none where the caller checks it.
        conformance: `module:Class` of the kit that checks the contract.
    """

    hook: str
    record: type[Any]
    contracts: tuple[str, ...] = ()
    conformance: str = ""


KINDS: dict[str, Kind] = {
    **{name: Kind(spec.hook, Implementation, spec.contracts, spec.conformance) for name, spec in STAGE_SPECS.items()},
    "corpus": Kind("engine_corpora", Corpus, (), f"{_BESIDE}.corpus:CorpusConformance"),
    "reader": Kind("engine_readers", Reader, (), f"{_BESIDE}.reader:ReaderConformance"),
    "observer": Kind(
        "engine_observers",
        Observer,
        ("pentad.contracts.observer:RunObserver",),
        f"{_BESIDE}.observer:ObserverConformance",
    ),
    "command": Kind("engine_commands", Command, (), f"{_BESIDE}.command:CommandConformance"),
    "executor": Kind(
        "engine_executors",
        Executor,
        ("pentad.contracts.executor:TaskExecutor",),
        f"{_BESIDE}.executor:ExecutorConformance",
    ),
    "adapter": Kind(
        "engine_adapters",
        Adapter,
        ("pentad.contracts.adapter:ModelAdapter",),
        f"{_BESIDE}.adapter:AdapterConformance",
    ),
    "evaluator": Kind(
        "engine_evaluators",
        Evaluator,
        ("pentad.contracts.evaluator:RunEvaluator",),
        f"{_BESIDE}.evaluator:EvaluatorConformance",
    ),
}
"""What can be offered, by the word for it."""
