"""The options of the evaluator."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class CalibrationOptions:
    """How finely probabilities are told apart, and where a picture goes."""

    bins: int = option(10, "Parts into which the probabilities from 0 to 1 are cut.", ge=2, le=100)
    picture: str = option("", "An SVG file to write the curve to, where the whole text is scored.", affects_result=False)
