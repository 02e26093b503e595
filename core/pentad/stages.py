"""One stage by itself, for notebooks and scripts.

from pentad import Choice, make

tokenizer = make("tokenizer", Choice("bpe", vocab_size=1000))
model = make("model", Choice("gpt", n_layer=2), vocab_size=tokenizer.vocab_size, context_length=64)
"""

from __future__ import annotations

import importlib
from typing import Any

from pentad.catalogue import Catalogue
from pentad.errors import UsageError, did_you_mean
from pentad.implementation import STAGES
from pentad.options import parse
from pentad.recipe import Choice

_CONTRACTS = {
    "tokenizer": "tokenizer:Tokenizer",
    "builder": "examples:ExampleBuilder",
    "model": "model:Model",
    "optimizer": "optimizer:Optimization",
    "sampler": "sampler:Sampler",
}


def make(stage: str, choice: Choice | str, /, *arguments: Any, catalogue: Catalogue | None = None, **named: Any) -> Any:
    """Make what a name means: a `Tokenizer`, `ExampleBuilder`, `Model`, `Optimization` or `Sampler`.

    Args:
        stage: tokenizer, builder, model, optimizer or sampler.
        choice: a name, or a name with options.
        arguments, named: what the stage's contract gives the factory beside the options: `context_length`, `vocab_size` and
            `end_of_text` to a builder, `vocab_size` and `context_length` to a model, `named_parameters(model)` to an optimizer.
        catalogue: what is installed; None to look.

    Raises:
        UsageError: the stage, the name or an option is unknown, or an option is out of bounds.
        EngineError: the implementation cannot be loaded, or returns something else.
    """
    if stage not in STAGES:
        raise UsageError(f"{stage!r} is no stage.", did_you_mean(stage, STAGES) or f"The stages are {', '.join(STAGES)}.")
    wanted = Choice(choice) if isinstance(choice, str) else choice
    offer = (catalogue or Catalogue()).find(stage, wanted.name)
    options = parse(offer.options, wanted.options, stage)
    module, _, name = _CONTRACTS[stage].partition(":")
    contract = getattr(importlib.import_module(f"pentad.{module}"), name)
    return offer.make(contract, options, *arguments, **named)
