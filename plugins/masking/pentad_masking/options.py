"""Options of the builders and evaluators; imports neither numpy nor torch, so that listing them is free."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option


@dataclass(frozen=True, kw_only=True)
class MaskedOptions:
    """What is hidden, and how.

    The defaults are BERT's (Devlin et al., 2019): 15 % of the tokens are learned; of these 80 % become the mask, 10 % another
    token, and 10 % stay as they are, so that the model must doubt what it reads. The spans of SpanBERT (Joshi et al., 2020) are
    those of `span_length=5`.

    Raises:
        ValueError: the two shares are more than all.
    """

    rate: float = option(0.15, "Share of the tokens that is learned.", gt=0, lt=1)
    mask_share: float = option(0.8, "Of these, the share that becomes the mask.", ge=0.5, le=1)
    random_share: float = option(0.1, "Of these, the share that becomes another token; the rest is shown as it is.", ge=0, le=1)
    span_length: int = option(
        1,
        "Mean length of hidden spans, before those of more than twice as many tokens are left out; 1 hides tokens one by one.",
        ge=1,
        le=64,
    )

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.mask_share + self.random_share > 1 + 1e-9:
            raise ValueError(
                f"mask_share and random_share must be at most 1 together, found {self.mask_share + self.random_share:g}"
            )


@dataclass(frozen=True, kw_only=True)
class HidingOptions:
    """How an evaluator hides the tokens that it asks for."""

    apart: int = option(
        8,
        "Hide each so-many-th token at a time, in as many passes; 0 hides a single token at a time, as Salazar et al. do, and "
        "takes as many passes as a window has tokens.",
        ge=0,
    )
