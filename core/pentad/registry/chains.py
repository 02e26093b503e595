"""Samplers in a row, offered as one: `top-k+temperature` has the options of both, `top-k.k` and `temperature.temperature`.

The chain is an offer like any other, so that flags, recipes, runs and completion know it without a word of their own.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pentad.config.options import PART
from pentad.registry.records import Implementation
from pentad.system.errors import UsageError

SIGN = "+"
"""What stands between the names."""

BETWEEN = " + "
"""What stands between the distributions of a chain, and between their versions."""


class Part(Protocol):
    """What a chain needs of the offer of each sampler."""

    @property
    def name(self) -> str:
        """What users type."""

    @property
    def options(self) -> type[Any]:
        """The dataclass of its options."""

    def make(self, options: Any, *arguments: Any, **available: Any) -> Any:
        """Call its factory."""


def chain_record(parts: Sequence[Part]) -> Implementation:
    """Return the record of a chain of samplers, in their order. One that stands in it twice has its options once."""
    name = SIGN.join(part.name for part in parts)
    return Implementation(
        name=name,
        summary=f"{', then '.join(part.name for part in parts)}.",
        factory=_factory(name, parts),
        options=_options(parts),
    )


def _options(parts: Sequence[Part]) -> type[Any]:
    fields = []
    for part in {part.name: part for part in parts}.values():
        types = typing.get_type_hints(part.options)
        for field in dataclasses.fields(part.options):
            copied = dataclasses.field(default=field.default, metadata=field.metadata)
            fields.append((_front(part) + field.name, types[field.name], copied))

    def refuse_what_does_not_fit(self: Any) -> None:
        for part in parts:
            _own(part, self)

    return dataclasses.make_dataclass(
        "ChainOptions", fields, namespace={"__post_init__": refuse_what_does_not_fit}, frozen=True, kw_only=True
    )


def _front(part: Part) -> str:
    return part.name.replace("-", "_") + PART


def _own(part: Part, options: Any) -> Any:
    """Return a part's own options object."""
    front = _front(part)
    names = [field.name for field in dataclasses.fields(options) if field.name.startswith(front)]
    return part.options(**{name.removeprefix(front): getattr(options, name) for name in names})


def _factory(name: str, parts: Sequence[Part]) -> Callable[..., Any]:
    def make(options: Any, *, tokenizer: Any = None, vocabulary: Any = None) -> Any:
        from pentad.contracts.sampler import Chain, Sampler

        made = [part.make(_own(part, options), tokenizer=tokenizer, vocabulary=vocabulary) for part in parts]
        samplers = tuple(each for each in made if isinstance(each, Sampler))
        if len(samplers) < len(made):
            raise UsageError(
                f"--sampler {name} must name samplers; found a decoder, which works alone.",
                "Use it without the others.",
                code="chain-of-decoder",
            )
        return Chain(samplers)

    return make
