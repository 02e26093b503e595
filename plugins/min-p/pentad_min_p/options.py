"""Options of this distribution, in a module that is imported only when one of them is chosen or shown."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class MinPOptions:
    """Options of the min-p sampler."""

    p: float = option(0.05, "Least probability of a token that stays, as a share of the likeliest one's.", ge=0, le=1)
    temperature: float = option(
        1.0, "Divides the logits: below 1 safer, above 1 bolder; for 0, always the likeliest token, use --sampler greedy.", gt=0
    )
