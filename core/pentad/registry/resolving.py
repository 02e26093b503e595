"""A recipe with everything that it leaves open filled in: the offers that its names mean, and every option.

What the user left open is filled with defaults first, and then with what the implementation advises for the text, the budget
and the machine, where it has an opinion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pentad.config.options import given, parse, to_dict
from pentad.config.recipe import Choice, Recipe
from pentad.config.tables import TABLES
from pentad.contracts.situation import Advice, Situation
from pentad.registry.catalogue import Catalogue
from pentad.registry.failures import check_command, wrong_return
from pentad.registry.offers import Offer
from pentad.system.errors import EngineError, UsageError, one_line

SIZED_BY_CORE = frozenset({"batch_size", "context_length", "max_epochs"})
"""Options of `[training]` that core sizes, where they are left open."""


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


def with_options(resolved: Resolved, stage: str, options: Any) -> Resolved:
    """Return the choices with other options of a stage."""
    if options == resolved.options[stage]:
        return resolved
    choice = Choice(resolved.recipe.choice(stage).name, **to_dict(options))
    recipe = resolved.recipe.replace(**{stage: choice})
    return replace(resolved, recipe=recipe, options={**resolved.options, stage: options})


def written_tables(resolved: Resolved) -> dict[str, dict[str, Any]]:
    """Return the recipe's tables without what was left open and can be sized: with these, another run sizes it anew."""
    tables = resolved.recipe.to_dict()
    for stage, offer in resolved.offers.items():
        if getattr(offer.record, "advise", ""):
            tables[stage] = {key: value for key, value in tables[stage].items() if key not in resolved.open[stage]}
    left_open = SIZED_BY_CORE & resolved.open["training"]
    tables["training"] = {key: value for key, value in tables["training"].items() if key not in left_open}
    return tables


def advised(resolved: Resolved, stage: str, situation: Situation) -> tuple[Resolved, Advice]:
    """Ask a stage's implementation for what the user left open.

    Returns:
        The choices with what it advises, and its advice; an empty one where it has no opinion or nothing is open.

    Raises:
        EngineError: its `advise` fails, or returns something else than advice on its own options.
    """
    offer, left_open = resolved.offers[stage], resolved.open.get(stage, frozenset())
    if not offer.record.advise or not left_open:
        return resolved, Advice()
    function = offer.resolve("advise")
    try:
        advice = function(resolved.options[stage], replace(situation, open=left_open))
    except Exception as error:
        raise _no_advice(offer, f"fails: {one_line(error)}") from error
    if advice is None:
        return resolved, Advice()
    if not isinstance(advice, Advice):
        raise wrong_return(function, "", "a pentad.Advice or None", advice)
    values = {name: value for name, value in advice.values.items() if name in left_open or name not in _names(resolved, stage)}
    try:
        options = parse(offer.options, {**to_dict(resolved.options[stage]), **values}, stage)
    except UsageError as error:
        raise _no_advice(offer, f"does not fit its options: {error.message}") from error
    return with_options(resolved, stage, options), replace(advice, values=values)


def _names(resolved: Resolved, stage: str) -> frozenset[str]:
    return frozenset(to_dict(resolved.options[stage]))


def _no_advice(offer: Offer[Any], problem: str) -> EngineError:
    return EngineError(
        f"The advice of the {offer.kind} {offer.full_name} on its sizes {problem}",
        f"Give its options yourself (engine plugins show {offer.name} lists them); "
        f"{check_command(offer.distribution, offer.name)} tells more.",
        code="advise-failed",
    )
