"""The options of the builders; imports no numpy, so that listing them is free."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class NextTokenOptions:
    """How documents come into rows.

    Raises:
        ValueError: options that do not fit together.
    """

    packing: str = option(
        "concatenate",
        "Read documents as one stream, cut wherever a row is full; or fit whole ones together, which cuts only those that are "
        "longer than a row and pads a little.",
        choices=("concatenate", "best-fit"),
    )
    repack: bool = option(
        False,
        "With best-fit (Ding et al., 2024), draw the rows anew in each pass, which is pentad's own: long documents are cut "
        "elsewhere, and other pieces share a row. The windows of concatenate move in each pass anyway.",
    )

    def __post_init__(self) -> None:
        """Refuse what has no effect."""
        if self.repack and self.packing != "best-fit":
            raise ValueError(f"repack needs packing best-fit, found {self.packing}, whose windows move in each pass anyway")


@dataclass(frozen=True, kw_only=True)
class MultiTokenOptions:
    """How many tokens are predicted at once."""

    n: int = option(4, "Tokens that each position predicts: the next one, and those behind it by a head each.", ge=2, le=16)
    weight: float = option(
        0.3,
        "How much the mean loss of the tokens behind the next counts beside it; n - 1 lets every token count the same.",
        ge=0,
    )
