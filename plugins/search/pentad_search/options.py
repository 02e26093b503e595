"""The options of every decoder of this distribution; light, so that listing them imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option

_SAMPLER = "What draws, with its options: temperature, or top-k,k=20, or a chain of installed samplers."


@dataclass(frozen=True, kw_only=True)
class BeamOptions:
    """Options of beam search."""

    width: int = option(4, "Sequences that are kept at each token; at least as many as texts are asked for.", ge=1)
    length_penalty: float = option(
        1.0,
        "Sequences are ranked by their log-probability divided by their length to the power of this: 0 is the plain "
        "log-probability, which favours short texts, 1 the mean of a token, and more favours long texts.",
    )


@dataclass(frozen=True, kw_only=True)
class ContrastiveOptions:
    """Options of contrastive search."""

    k: int = option(4, "How many of the likeliest tokens are weighed against each other.", ge=1)
    alpha: float = option(0.6, "Weight of the penalty on a token that is like an earlier one; 0 is greedy.", ge=0, le=1)


@dataclass(frozen=True, kw_only=True)
class SpeculativeOptions:
    """Options of speculative decoding."""

    draft: str = option(
        "",
        "A smaller run of the same tokens that proposes some; empty: what followed the newest tokens earlier in the text.",
    )
    tokens: int = option(4, "How many tokens are proposed at a time.", ge=1, le=64)
    sampler: str = option("temperature", _SAMPLER)


@dataclass(frozen=True, kw_only=True)
class GuidanceOptions:
    """Options of classifier-free guidance."""

    scale: float = option(
        1.5, "How far to go from what the negative prompt makes likely to what the prompt does; 1 is the prompt alone.", ge=0
    )
    negative: str = option("", "The prompt to go away from; empty is the beginning of any document.")
    sampler: str = option("temperature", _SAMPLER)
