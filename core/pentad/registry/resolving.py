"""A recipe with everything that it leaves open filled in: the offers that its names mean, and every option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pentad.config.options import parse, to_dict
from pentad.config.recipe import Choice, Recipe
from pentad.config.stages import STAGES
from pentad.registry.catalogue import Catalogue, Offer


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A recipe with the offers that its names mean and every option spelled out.

    Args:
        recipe: names are full where a bare one would be ambiguous.
        offers: stage to offer.
        options: stage to options object.
    """

    recipe: Recipe
    offers: Mapping[str, Offer[Any]]
    options: Mapping[str, Any]


def resolve(recipe: Recipe, catalogue: Catalogue) -> Resolved:
    """Look up every stage and check every option, importing no implementation.

    Raises:
        UsageError: a name is not installed or ambiguous, or an option is unknown, out of bounds or does not fit.
    """
    recipe.budget()
    offers: dict[str, Offer[Any]] = {stage: catalogue.find(stage, recipe.choice(stage).name) for stage in STAGES}
    options: dict[str, Any] = {stage: parse(offers[stage].options, recipe.choice(stage).options, stage) for stage in STAGES}
    choices = {stage: Choice(recipe.choice(stage).name, **to_dict(options[stage])) for stage in STAGES}
    return Resolved(recipe=recipe.replace(**choices), offers=offers, options=options)
