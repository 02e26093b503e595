"""Defaults that a small text cannot fill give way to what it can; what the user asked for never does.

A tokenizer that cannot do what its options say raises `OptionsDoNotFit` with values that would do. Where all of these options
were left open, they are taken, and the run says so; its recipe holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pentad.config.options import changed, describe, parse, to_dict
from pentad.contracts.tokenizer import Tokenizer
from pentad.data.shards import trained_tokenizer
from pentad.data.split import Split
from pentad.registry.offers import Offer
from pentad.registry.resolving import Resolved
from pentad.system.errors import OptionsDoNotFit

_TRIES = 4
"""A tokenizer may find one limit behind another."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A tokenizer and the options with which it could be trained.

    Args:
        tokenizer, folder, fingerprint: as `trained_tokenizer` returns them.
        options: with which it was made.
        notes: what is otherwise than the defaults say, for the user.
    """

    tokenizer: Tokenizer
    folder: Path
    fingerprint: str
    options: Any
    notes: tuple[str, ...] = ()


def fitted_tokenizer(offer: Offer[Any], options: Any, left_open: Collection[str], split: Split, cache: Path) -> Fitted:
    """Train a tokenizer, or load the one that an earlier run trained, with what the text can fill of open options.

    Args:
        offer, options: the implementation, and its options.
        left_open: names of the options that the user did not give.
        split, cache: as for `trained_tokenizer`.

    Raises:
        UsageError: the text cannot give what the user asked for.
        EngineError: as for `trained_tokenizer`.
    """
    wanted = options
    for number in range(_TRIES):
        try:
            tokenizer, folder, fingerprint = trained_tokenizer(offer, options, split, cache)
            break
        except OptionsDoNotFit as error:
            if number + 1 == _TRIES or not error.fitting.keys() <= set(left_open):
                raise
            options = parse(offer.options, {**to_dict(options), **error.fitting}, offer.kind)
    notes = tuple(
        f"--{offer.kind}.{spec.flag} is {getattr(options, spec.name):,} instead of {getattr(wanted, spec.name):,}: "
        f"the text is too {'small' if getattr(options, spec.name) < getattr(wanted, spec.name) else 'varied'} for the default."
        for spec in describe(offer.options)
        if getattr(options, spec.name) != getattr(wanted, spec.name)
    )
    return Fitted(tokenizer=tokenizer, folder=folder, fingerprint=fingerprint, options=options, notes=notes)


def with_shorter_context(resolved: Resolved, has_examples: Callable[[Resolved], bool]) -> Resolved | None:
    """Return the choices with half the context, a quarter of it and so on, until the text gives an example; None if never.

    Args:
        resolved: the choices; their context is too long.
        has_examples: says whether the text gives an example with the choices that it is given.
    """
    if "context_length" not in resolved.open.get("training", ()):
        return None
    length = resolved.recipe.training.context_length
    while length > 1:
        length //= 2
        training = changed(resolved.recipe.training, context_length=length)
        shorter = replace(resolved, recipe=resolved.recipe.replace(training=training))
        if has_examples(shorter):
            return shorter
    return None
