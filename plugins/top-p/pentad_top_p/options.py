"""Options of this distribution, in a module that is imported only when one of them is chosen or shown."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class TopPOptions:
    """Options of the top-p sampler."""

    p: float = option(0.95, "Probability that the tokens that stay must have together; 1 keeps them all.", gt=0, le=1)
    temperature: float = option(
        1.0, "Divides the logits: below 1 safer, above 1 bolder; for 0, always the likeliest token, use --sampler greedy.", gt=0
    )
