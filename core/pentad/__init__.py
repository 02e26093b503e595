"""pentad: swap any stage of language-model pretraining and learn honestly which is better.

This module is the public surface. Names are imported on first use, so that a plugin's light module costs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pentad.config.options import NoOptions, option
from pentad.config.presets import presets
from pentad.config.stages import STAGES, Stage
from pentad.registry.hookspecs import hookimpl
from pentad.registry.records import (
    HOOK_API_VERSION,
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
from pentad.system import VERSION

if TYPE_CHECKING:
    from pentad.config.recipe import Choice, Recipe
    from pentad.contracts.adapter import ModelAdapter
    from pentad.contracts.batch import IGNORED, Attention, Batch, Tokens, pairs, segments_of
    from pentad.contracts.builder import ExampleBuilder
    from pentad.contracts.evaluator import Evaluated, HeldOut, RunEvaluator
    from pentad.contracts.executor import (
        Task,
        TaskExecutor,
        TaskFailure,
        TaskResult,
        describe_exit,
        describe_failure,
        run_task_process,
    )
    from pentad.contracts.format import Imported, ModelFormat, Trained
    from pentad.contracts.model import Inspection, Model, Output, Role, State
    from pentad.contracts.objective import CrossEntropy, Loss, Net, Objective, TensorBatch
    from pentad.contracts.observer import (
        Evaluation,
        Plan,
        Preparation,
        RateScaled,
        RunObserver,
        RunResult,
        Sample,
        Saved,
        ScaleLearningRate,
        StartedFrom,
        Step,
        StopTraining,
    )
    from pentad.contracts.optimizer import (
        NamedParameter,
        Optimization,
        OptimizerOptions,
        RateOptions,
        ScheduleOptions,
        parameter_groups,
        schedule,
    )
    from pentad.contracts.records import Document, Record, Span, text_of
    from pentad.contracts.reward import RewardFunction
    from pentad.contracts.sampler import Chain, Sampler, tempered_softmax
    from pentad.contracts.session import Decoder, Limits, Session, TextScore, TokenEvent
    from pentad.contracts.situation import Advice, ModelCost, Situation, size_learning_rate, size_model
    from pentad.contracts.tokenizer import END_OF_TEXT, Segmentation, TokenIds, Tokenizer, utf8
    from pentad.contracts.vocabulary import SpecialToken, Vocabulary
    from pentad.data.examples.packing import PackedRows, pack_documents
    from pentad.data.examples.shuffling import draw_below, random_words, shuffled
    from pentad.pipeline import find_lr, plan, resume, run
    from pentad.registry.catalogue import Catalogue
    from pentad.registry.making import make, make_named
    from pentad.runs.exchange import export_run, import_model
    from pentad.runs.saved_run import SavedRun, open_run
    from pentad.system.errors import EngineError, OptionsDoNotFit, UsageError
    from pentad.system.files import read_packaged
    from pentad.train.finder import RateSweep
    from pentad.train.trainer import named_parameters

_LAZY = {
    "Catalogue": "registry.catalogue",
    "EngineError": "system.errors",
    "OptionsDoNotFit": "system.errors",
    "UsageError": "system.errors",
    "IGNORED": "contracts.batch",
    "Batch": "contracts.batch",
    "ExampleBuilder": "contracts.builder",
    "Tokens": "contracts.batch",
    "pairs": "contracts.batch",
    "segments_of": "contracts.batch",
    "TaskFailure": "contracts.executor",
    "TaskResult": "contracts.executor",
    "Task": "contracts.executor",
    "TaskExecutor": "contracts.executor",
    "run_task_process": "contracts.executor",
    "describe_failure": "contracts.executor",
    "describe_exit": "contracts.executor",
    "Inspection": "contracts.model",
    "Model": "contracts.model",
    "ModelCost": "contracts.situation",
    "size_learning_rate": "contracts.situation",
    "size_model": "contracts.situation",
    "ModelAdapter": "contracts.adapter",
    "Imported": "contracts.format",
    "ModelFormat": "contracts.format",
    "Trained": "contracts.format",
    "Attention": "contracts.batch",
    "Evaluated": "contracts.evaluator",
    "HeldOut": "contracts.evaluator",
    "RunEvaluator": "contracts.evaluator",
    "Output": "contracts.model",
    "Role": "contracts.model",
    "State": "contracts.model",
    "CrossEntropy": "contracts.objective",
    "Loss": "contracts.objective",
    "Net": "contracts.objective",
    "Objective": "contracts.objective",
    "TensorBatch": "contracts.objective",
    "Document": "contracts.records",
    "Record": "contracts.records",
    "Span": "contracts.records",
    "text_of": "contracts.records",
    "RewardFunction": "contracts.reward",
    "Chain": "contracts.sampler",
    "Decoder": "contracts.session",
    "Limits": "contracts.session",
    "Session": "contracts.session",
    "TextScore": "contracts.session",
    "TokenEvent": "contracts.session",
    "Advice": "contracts.situation",
    "Situation": "contracts.situation",
    "SpecialToken": "contracts.vocabulary",
    "Vocabulary": "contracts.vocabulary",
    "ScaleLearningRate": "contracts.observer",
    "StartedFrom": "contracts.observer",
    "StopTraining": "contracts.observer",
    "NamedParameter": "contracts.optimizer",
    "Optimization": "contracts.optimizer",
    "OptimizerOptions": "contracts.optimizer",
    "RateOptions": "contracts.optimizer",
    "parameter_groups": "contracts.optimizer",
    "ScheduleOptions": "contracts.optimizer",
    "schedule": "contracts.optimizer",
    "Sampler": "contracts.sampler",
    "tempered_softmax": "contracts.sampler",
    "PackedRows": "data.examples.packing",
    "pack_documents": "data.examples.packing",
    "draw_below": "data.examples.shuffling",
    "random_words": "data.examples.shuffling",
    "shuffled": "data.examples.shuffling",
    "END_OF_TEXT": "contracts.tokenizer",
    "Segmentation": "contracts.tokenizer",
    "TokenIds": "contracts.tokenizer",
    "Tokenizer": "contracts.tokenizer",
    "utf8": "contracts.tokenizer",
    "Choice": "config.recipe",
    "Recipe": "config.recipe",
    "Evaluation": "contracts.observer",
    "Plan": "contracts.observer",
    "Preparation": "contracts.observer",
    "RateScaled": "contracts.observer",
    "RunObserver": "contracts.observer",
    "RunResult": "contracts.observer",
    "Sample": "contracts.observer",
    "Saved": "contracts.observer",
    "Step": "contracts.observer",
    "make": "registry.making",
    "make_named": "registry.making",
    "named_parameters": "train.trainer",
    "read_packaged": "system.files",
    "run": "pipeline",
    "resume": "pipeline",
    "find_lr": "pipeline",
    "plan": "pipeline",
    "RateSweep": "train.finder",
    "export_run": "runs.exchange",
    "import_model": "runs.exchange",
    "open_run": "runs.saved_run",
    "SavedRun": "runs.saved_run",
}

__version__ = VERSION

__all__ = [
    "END_OF_TEXT",
    "HOOK_API_VERSION",
    "IGNORED",
    "STAGES",
    "Adapter",
    "Advice",
    "Attention",
    "Batch",
    "Catalogue",
    "Chain",
    "Choice",
    "Command",
    "Corpus",
    "CrossEntropy",
    "Decoder",
    "Document",
    "EngineError",
    "Evaluated",
    "Evaluation",
    "Evaluator",
    "ExampleBuilder",
    "Executor",
    "Format",
    "HeldOut",
    "Implementation",
    "Imported",
    "Inspection",
    "Limits",
    "Loss",
    "Model",
    "ModelAdapter",
    "ModelCost",
    "ModelFormat",
    "NamedParameter",
    "Net",
    "NoOptions",
    "Objective",
    "Observer",
    "Optimization",
    "OptimizerOptions",
    "OptionsDoNotFit",
    "Output",
    "PackedRows",
    "Plan",
    "Preparation",
    "RateOptions",
    "RateScaled",
    "RateSweep",
    "Reader",
    "Recipe",
    "Record",
    "Reward",
    "RewardFunction",
    "Role",
    "RunEvaluator",
    "RunObserver",
    "RunResult",
    "Sample",
    "Sampler",
    "Saved",
    "SavedRun",
    "ScaleLearningRate",
    "ScheduleOptions",
    "Segmentation",
    "Session",
    "Situation",
    "Span",
    "SpecialToken",
    "Stage",
    "StartedFrom",
    "State",
    "Step",
    "StopTraining",
    "Task",
    "TaskExecutor",
    "TaskFailure",
    "TaskResult",
    "TensorBatch",
    "TextScore",
    "TokenEvent",
    "TokenIds",
    "Tokenizer",
    "Tokens",
    "Trained",
    "UsageError",
    "Vocabulary",
    "describe_exit",
    "describe_failure",
    "draw_below",
    "export_run",
    "find_lr",
    "hookimpl",
    "import_model",
    "make",
    "make_named",
    "named_parameters",
    "open_run",
    "option",
    "pack_documents",
    "pairs",
    "parameter_groups",
    "plan",
    "presets",
    "random_words",
    "read_packaged",
    "resume",
    "run",
    "run_task_process",
    "schedule",
    "segments_of",
    "shuffled",
    "size_learning_rate",
    "size_model",
    "tempered_softmax",
    "text_of",
    "utf8",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'pentad' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"pentad.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, those that are not imported yet too, for who completes them."""
    return sorted({*globals(), *__all__})
