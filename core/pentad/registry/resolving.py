"""A recipe with everything that it leaves open filled in: the offers that its names mean, and every option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pentad.config.options import given, parse, to_dict
from pentad.config.recipe import TABLES, Choice, Recipe
from pentad.registry.catalogue import Catalogue
from pentad.registry.offers import Offer


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A recipe with the offers that its names mean and every option spelled out.

    Args:
        recipe: names are full where a bare one would be ambiguous.
        offers: stage (and `adapter`, where there is one) to offer.
        options: likewise to options object.
        open: stage or table to the names of its options that the user left open.
    """

    recipe: Recipe
    offers: Mapping[str, Offer[Any]]
    options: Mapping[str, Any]
    open: Mapping[str, frozenset[str]] = field(default_factory=dict)


def resolve(recipe: Recipe, catalogue: Catalogue) -> Resolved:
    """Look up every stage and check every option, importing no implementation.

    Raises:
        UsageError: a name is not installed or ambiguous, or an option is unknown, out of bounds or does not fit.
    """
    recipe.budget()
    chosen = recipe.choices()
    offers: dict[str, Offer[Any]] = {stage: catalogue.find(stage, choice.name) for stage, choice in chosen.items()}
    options: dict[str, Any] = {stage: parse(offers[stage].options, choice.options, stage) for stage, choice in chosen.items()}
    left_open = {name: _open(of) for name, of in (*options.items(), *((name, getattr(recipe, name)) for name in TABLES))}
    choices = {stage: Choice(choice.name, **to_dict(options[stage])) for stage, choice in chosen.items()}
    return Resolved(recipe=recipe.replace(**choices), offers=offers, options=options, open=left_open)


def _open(options: Any) -> frozenset[str]:
    return frozenset(to_dict(options)) - given(options)
