"""The options of the builders; imports no numpy, so that listing them is free."""

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


@dataclass(frozen=True, kw_only=True)
class MultiTokenOptions:
    """How many tokens are predicted at once."""

    n: int = option(4, "Tokens that each position predicts: the next one, and those behind it by a head each.", ge=2, le=16)
    weight: float = option(
        0.3,
        "How much the mean loss of the tokens behind the next counts beside it; n - 1 lets every token count the same.",
        ge=0,
    )
