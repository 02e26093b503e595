"""lm-engine: swap any stage of language-model pretraining and learn honestly which is better.

This module is the public surface. Names are imported on first use, so that a plugin's light module costs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lm_engine.hookspecs import hookimpl
from lm_engine.implementation import (
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
from lm_engine.options import NoOptions, option

if TYPE_CHECKING:
    from lm_engine.catalogue import Catalogue
    from lm_engine.errors import EngineError, UsageError
    from lm_engine.examples import IGNORED, Batch, ExampleBuilder, Tokens, pairs, segments_of
    from lm_engine.executor import Ended, Task, TaskExecutor, be_task_process, cause_of, outcome_of
    from lm_engine.model import Model
    from lm_engine.observer import Evaluation, Plan, Preparation, RunObserver, RunResult, Sample, Saved, Step
    from lm_engine.optimizer import NamedParameter, Optimization, ScheduleOptions, schedule
    from lm_engine.pipeline import plan, resume, run
    from lm_engine.recipe import Choice, Recipe
    from lm_engine.sampler import Sampler, tempered_softmax
    from lm_engine.saved_run import SavedRun, open_run
    from lm_engine.shuffling import draw_below, random_words, shuffled
    from lm_engine.stages import make
    from lm_engine.tokenizer import END_OF_TEXT, TokenIds, Tokenizer, utf8
    from lm_engine.training import named_parameters

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
        raise AttributeError(f"module 'lm_engine' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lm_engine.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
