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
    Format,
    Implementation,
    Observer,
    Reader,
    Reward,
)

_BESIDE = "pentad.testing.beside"


class Kind(NamedTuple):
    """One kind of thing that plugins offer.

    Args:
        hook: asked for it.
        record: what the hook must return a list of.
        contracts: `module:Class` of what the record's factory must return, one of them; none where the caller checks it.
        conformance: `module:Class` of the kit that checks the contract.
        title: heads a list of what is offered.
    """

    hook: str
    record: type[Any]
    contracts: tuple[str, ...] = ()
    conformance: str = ""
    title: str = ""


KINDS: dict[str, Kind] = {
    **{
        name: Kind(spec.hook, Implementation, spec.contracts, spec.conformance, spec.title)
        for name, spec in STAGE_SPECS.items()
    },
    "corpus": Kind("engine_corpora", Corpus, (), f"{_BESIDE}.corpus:CorpusConformance", "Corpora for --data"),
    "reader": Kind(
        "engine_readers",
        Reader,
        (),
        f"{_BESIDE}.reader:ReaderConformance",
        "File formats for --data, beside plain text, .jsonl, .csv and .gz",
    ),
    "observer": Kind(
        "engine_observers",
        Observer,
        ("pentad.contracts.observer:RunObserver",),
        f"{_BESIDE}.observer:ObserverConformance",
        "Observers for --observe",
    ),
    "command": Kind("engine_commands", Command, (), f"{_BESIDE}.command:CommandConformance", "Commands"),
    "executor": Kind(
        "engine_executors",
        Executor,
        ("pentad.contracts.executor:TaskExecutor",),
        f"{_BESIDE}.executor:ExecutorConformance",
        "Executors: where many runs are trained (engine compare --executor)",
    ),
    "adapter": Kind(
        "engine_adapters",
        Adapter,
        ("pentad.contracts.adapter:ModelAdapter",),
        f"{_BESIDE}.adapter:AdapterConformance",
        "Adapters: what changes the model of --start (engine run --adapter)",
    ),
    "format": Kind(
        "engine_formats",
        Format,
        ("pentad.contracts.format:ModelFormat",),
        f"{_BESIDE}.format:FormatConformance",
        "Formats: model files of other projects (engine export, engine import)",
    ),
    "evaluator": Kind(
        "engine_evaluators",
        Evaluator,
        ("pentad.contracts.evaluator:RunEvaluator",),
        f"{_BESIDE}.evaluator:EvaluatorConformance",
        "Evaluators: scores of held-out text (engine evaluate --with)",
    ),
    "reward": Kind(
        "engine_rewards",
        Reward,
        ("pentad.contracts.reward:RewardFunction",),
        f"{_BESIDE}.reward:RewardConformance",
        "Rewards: how good an answer is (of builders that learn from rewards)",
    ),
}
"""What can be offered, by the word for it."""
