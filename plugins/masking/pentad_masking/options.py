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


@dataclass(frozen=True, kw_only=True)
class GapOptions:
    """How often a document becomes one with a gap, and in which order its parts then stand."""

    rate: float = option(0.5, "Share of the documents that learn to fill a gap; the others stay as they are.", gt=0, le=1)
    suffix_first: float = option(
        0.5, "Of these, the share that reads what stands behind the gap before what stands in front of it (SPM).", ge=0, le=1
    )
    cut: str = option(
        "token",
        "Where a gap begins and ends: where a token does, or within one too, which also teaches to go on from part of a word.",
        choices=("token", "character"),
    )


@dataclass(frozen=True, kw_only=True)
class SpanOptions:
    """Which spans are taken out.

    The defaults are T5's (Raffel et al., 2020). UL2 (Tay et al., 2022) mixes seven ways evenly: short spans (R: mean 3 or 8,
    15 % of the text), the end of the text (S: a quarter on average), and much of it or long spans (X: mean 3 or 8 with 50 %,
    mean 64 with 15 or 50 %).
    """

    mixture: str = option(
        "t5", "One kind of spans, or UL2's mixture with a token in front that says which.", choices=("t5", "ul2")
    )
    rate: float = option(0.15, "Share of the tokens that is taken out; of t5.", gt=0, lt=1)
    span_length: float = option(3.0, "Mean tokens of a span; of t5.", ge=1)
    sentinels: int = option(32, "Tokens that stand for spans: the most spans of a row.", ge=1, le=1000)


@dataclass(frozen=True, kw_only=True)
class SpanScoreOptions:
    """Which spans an evaluator takes out."""

    rate: float = option(0.15, "Share of the tokens that is taken out.", gt=0, lt=1)
    span_length: float = option(3.0, "Mean tokens of a span.", ge=1)
