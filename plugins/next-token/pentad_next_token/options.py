"""The options of the builder; imports no numpy, so that listing them is free."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class NextTokenOptions:
    """How documents come into rows."""

    packing: str = option(
        "concatenate",
        "Read documents as one stream, cut wherever a row is full; or fit whole ones together, which cuts only those that are "
        "longer than a row and pads a little.",
        choices=("concatenate", "best-fit"),
    )
