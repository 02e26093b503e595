"""pentad: swap any stage of language-model pretraining and learn honestly which is better.

This module is the public surface. Names are imported on first use, so that a plugin's light module costs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pentad.hookspecs import hookimpl
from pentad.implementation import (
    HOOK_API_VERSION,
    STAGES,
    Command,
    Corpus,
    Executor,
    Implementation,
    Observer,
    Reader,
    Stage,
)
from pentad.options import NoOptions, option

if TYPE_CHECKING:
    from pentad.catalogue import Catalogue
    from pentad.errors import EngineError, UsageError
    from pentad.examples import IGNORED, Batch, ExampleBuilder, Tokens, pairs, segments_of
    from pentad.executor import Ended, Task, TaskExecutor, be_task_process, cause_of, outcome_of
    from pentad.model import Model
    from pentad.observer import Evaluation, Plan, Preparation, RunObserver, RunResult, Sample, Saved, Step
    from pentad.optimizer import NamedParameter, Optimization, ScheduleOptions, schedule
    from pentad.pipeline import plan, resume, run
    from pentad.recipe import Choice, Recipe
    from pentad.sampler import Sampler, tempered_softmax
    from pentad.saved_run import SavedRun, open_run
    from pentad.shuffling import draw_below, random_words, shuffled
    from pentad.stages import make
    from pentad.tokenizer import END_OF_TEXT, TokenIds, Tokenizer, utf8
    from pentad.training import named_parameters

_LAZY = {
    "Catalogue": "catalogue",
    "EngineError": "errors",
    "UsageError": "errors",
    "IGNORED": "examples",
    "Batch": "examples",
    "ExampleBuilder": "examples",
    "Tokens": "examples",
    "pairs": "examples",
    "segments_of": "examples",
    "Ended": "executor",
    "Task": "executor",
    "TaskExecutor": "executor",
    "be_task_process": "executor",
    "cause_of": "executor",
    "outcome_of": "executor",
    "Model": "model",
    "NamedParameter": "optimizer",
    "Optimization": "optimizer",
    "ScheduleOptions": "optimizer",
    "schedule": "optimizer",
    "Sampler": "sampler",
    "tempered_softmax": "sampler",
    "draw_below": "shuffling",
    "random_words": "shuffling",
    "shuffled": "shuffling",
    "END_OF_TEXT": "tokenizer",
    "TokenIds": "tokenizer",
    "Tokenizer": "tokenizer",
    "utf8": "tokenizer",
    "Choice": "recipe",
    "Recipe": "recipe",
    "Evaluation": "observer",
    "Plan": "observer",
    "Preparation": "observer",
    "RunObserver": "observer",
    "RunResult": "observer",
    "Sample": "observer",
    "Saved": "observer",
    "Step": "observer",
    "make": "stages",
    "named_parameters": "training",
    "run": "pipeline",
    "resume": "pipeline",
    "plan": "pipeline",
    "open_run": "saved_run",
    "SavedRun": "saved_run",
}

__version__ = "0.1.0"

__all__ = [
    "END_OF_TEXT",
    "HOOK_API_VERSION",
    "IGNORED",
    "STAGES",
    "Batch",
    "Catalogue",
    "Choice",
    "Command",
    "Corpus",
    "Ended",
    "EngineError",
    "Evaluation",
    "ExampleBuilder",
    "Executor",
    "Implementation",
    "Model",
    "NamedParameter",
    "NoOptions",
    "Observer",
    "Optimization",
    "Plan",
    "Preparation",
    "Reader",
    "Recipe",
    "RunObserver",
    "RunResult",
    "Sample",
    "Sampler",
    "Saved",
    "SavedRun",
    "ScheduleOptions",
    "Stage",
    "Step",
    "Task",
    "TaskExecutor",
    "TokenIds",
    "Tokenizer",
    "Tokens",
    "UsageError",
    "be_task_process",
    "cause_of",
    "draw_below",
    "hookimpl",
    "make",
    "named_parameters",
    "open_run",
    "option",
    "outcome_of",
    "pairs",
    "plan",
    "random_words",
    "resume",
    "run",
    "schedule",
    "segments_of",
    "shuffled",
    "tempered_softmax",
    "utf8",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'pentad' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"pentad.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
