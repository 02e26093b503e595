"""Another builder for a saved run, which reads texts for its model as the run's own would not."""

from __future__ import annotations

import dataclasses

from pentad.config.options import parse, split_options
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.tokenizer import Tokenizer
from pentad.data.preparation import make_builder
from pentad.registry.catalogue import Catalogue
from pentad.registry.resolving import Resolved
from pentad.system.errors import UsageError


def read_by(
    name: str, resolved: Resolved, own: ExampleBuilder, tokenizer: Tokenizer, catalogue: Catalogue
) -> tuple[Resolved, ExampleBuilder]:
    """Return the recipe of a run with another builder, and that builder.

    Args:
        name: of the builder, `chat,plain-text=true` with options.
        resolved: the recipe of the run.
        own: the run's builder.
        tokenizer: of the run.
        catalogue: what is installed.

    Raises:
        UsageError: there is no such builder or option; its special tokens or its attention are not the run's.
    """
    chosen, options = split_options(name)
    offer = catalogue.find("builder", chosen)
    resolved = dataclasses.replace(
        resolved,
        offers={**resolved.offers, "builder": offer},
        options={**resolved.options, "builder": parse(offer.options, options, "builder")},
    )
    builder = make_builder(resolved, tokenizer, catalogue)
    if tuple(builder.special_tokens) != tuple(own.special_tokens):
        wanted, known = (", ".join(token.name for token in one.special_tokens) or "none" for one in (builder, own))
        raise UsageError(
            f"The builder {chosen} needs the special tokens of the run. It writes {wanted}; the run knows {known}.",
            "Use a builder of the same template, or evaluate a run that learned with it.",
            code="special-tokens-differ",
        )
    if builder.attention != own.attention:
        raise UsageError(
            f"The builder {chosen} needs {builder.attention} attention; the run was trained with {own.attention} attention.",
            "Use another builder (engine plugins lists them).",
            code="attention-mismatch",
        )
    return resolved, builder
