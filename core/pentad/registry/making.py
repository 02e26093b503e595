"""One stage by itself, for notebooks and scripts.

from pentad import Choice, make

tokenizer = make("tokenizer", Choice("bpe", vocab_size=1000))
model = make("model", Choice("gpt", n_layer=2), vocab_size=tokenizer.vocab_size, context_length=64)
"""

from __future__ import annotations

from typing import Any

from pentad.config.options import parse, parse_named, split_options
from pentad.config.recipe import Choice
from pentad.config.stages import STAGES
from pentad.registry.catalogue import Catalogue
from pentad.system.errors import UsageError, did_you_mean


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
        raise UsageError(
            f"{stage!r} is no stage.",
            did_you_mean(stage, STAGES) or f"The stages are {', '.join(STAGES)}.",
            code="unknown-stage",
        )
    wanted = Choice(choice) if isinstance(choice, str) else choice
    offer = (catalogue or Catalogue()).find(stage, wanted.name)
    options = parse(offer.options, wanted.options, stage)
    return offer.make(options, *arguments, **named)


def make_named(kind: str, text: str, /, *, catalogue: Catalogue | None = None, **named: Any) -> Any:
    """Make what a name with options behind it means: `accuracy,best=5`. For kinds of which several may be named at once.

    Args:
        kind: evaluator or reward.
        text: the name, with its options.
        catalogue: what is installed; None to look.
        named: what the contract gives the factory beside the options and the catalogue.

    Raises:
        UsageError: none of that name is installed, or an option is unknown or out of bounds.
        EngineError: it cannot be loaded, or returns something else.
    """
    catalogue = catalogue or Catalogue()
    bare, options = split_options(text)
    offer = catalogue.find(kind, bare)
    return offer.make(parse_named(offer.options, options, bare), catalogue=catalogue, **named)
