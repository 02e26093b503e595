"""`--temperature`, `--top-k`, `--top-p`, `--min-p` as everyone types them: short for a sampler, or a chain of samplers."""

from __future__ import annotations

from collections.abc import Mapping

import click

from pentad.config.options import describe
from pentad.config.recipe import Choice
from pentad.registry.catalogue import Catalogue
from pentad.system.errors import UsageError

TEMPERATURE = "temperature"
GREEDY = "greedy"

FILTERS = {"top-k": "k", "top-p": "p", "min-p": "p"}
"""Flags that are named as the sampler that they mean, to the option that they set; in the order in which they are applied."""


def sampling_options() -> list[click.Option]:
    """Declare the flags."""
    return [
        click.Option(
            ["--temperature"],
            type=click.FloatRange(min=0),
            metavar="FLOAT",
            help="Below 1 safer, above 1 bolder; 0 always takes the likeliest token.",
        ),
        click.Option(
            ["--top-k"], type=click.IntRange(min=1), metavar="INT", help="Draw among so many of the likeliest tokens."
        ),
        click.Option(
            ["--top-p"],
            type=click.FloatRange(min=0, max=1, min_open=True),
            metavar="FLOAT",
            help="Draw among the likeliest tokens that together have this probability.",
        ),
        click.Option(
            ["--min-p"],
            type=click.FloatRange(min=0, max=1),
            metavar="FLOAT",
            help="Draw among tokens at least this share as likely as the likeliest.",
        ),
    ]


def sampler_choice(base: Choice, named: bool, flags: Mapping[str, float | None], catalogue: Catalogue) -> Choice:
    """Return the sampler that the flags mean: the run's own or the named one with its temperature, another one, or a chain.

    Args:
        base: the run's own sampler, or the one of --sampler, with its options.
        named: whether --sampler named it.
        flags: `temperature`, `top-k`, `top-p` and `min-p` to what was given, or None.
        catalogue: what is installed.

    Raises:
        UsageError: flags that a named sampler does not take stand beside it.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    temperature = given.get(TEMPERATURE)
    filters = [name for name in FILTERS if name in given]
    if not given:
        return base
    if named and (filters or not _has_temperature(base, catalogue)):
        flag = (filters or [TEMPERATURE])[0]
        raise UsageError(
            f"--{flag} chooses a sampler; found --sampler {base.name} as well.",
            "Leave out one of them, or write a chain: --sampler top-k+temperature --sampler.top-k.k 50.",
            code="options-conflict",
        )
    if temperature == 0:
        return Choice(GREEDY)
    if not filters and _has_temperature(base, catalogue):
        return Choice(base.name, **{**base.options, TEMPERATURE: temperature})
    parts = {TEMPERATURE: {TEMPERATURE: temperature}} if temperature is not None else {}
    parts |= {name: {FILTERS[name]: given[name]} for name in filters}
    if len(parts) == 1:
        (name, options), *_ = parts.items()
        return Choice(name, **options)
    return Choice("+".join(parts), **{f"{name}.{key}": value for name, own in parts.items() for key, value in own.items()})


def _has_temperature(base: Choice, catalogue: Catalogue) -> bool:
    return TEMPERATURE in {spec.name for spec in describe(catalogue.find("sampler", base.name).options)}
