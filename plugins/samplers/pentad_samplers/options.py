"""The options of every sampler of this distribution; light, so that listing them imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from pentad import option

_PROMPT = "Whether the prompt's tokens count too, and not only those that were written."
_WINDOW = "How many of the newest tokens to look at; 0 for all of them."


@dataclass(frozen=True, kw_only=True)
class TypicalOptions:
    """Options of locally typical sampling."""

    mass: float = option(0.95, "Probability that the tokens that stay must have together; 1 keeps them all.", gt=0, le=1)


@dataclass(frozen=True, kw_only=True)
class EpsilonOptions:
    """Options of epsilon sampling."""

    epsilon: float = option(3e-4, "Least probability of a token that stays; the likeliest always does.", ge=0, lt=1)


@dataclass(frozen=True, kw_only=True)
class EtaOptions:
    """Options of eta sampling."""

    epsilon: float = option(
        9e-4,
        "Least probability of a token that stays; less where the distribution is flat. The likeliest always stays.",
        ge=0,
        lt=1,
    )


@dataclass(frozen=True, kw_only=True)
class TopNSigmaOptions:
    """Options of top-n-sigma sampling."""

    n: float = option(1.0, "How many standard deviations of the logits a token may be below the highest.", ge=0)


@dataclass(frozen=True, kw_only=True)
class XtcOptions:
    """Options of XTC, exclude top choices."""

    threshold: float = option(
        0.1,
        "Probability from which a token is a top choice; above 0.5 there are never two, and nothing is excluded.",
        gt=0,
        le=1,
    )
    probability: float = option(0.5, "How often the top choices but the least likely of them are excluded.", ge=0, le=1)


@dataclass(frozen=True, kw_only=True)
class MirostatOptions:
    """Options of mirostat, version 2."""

    surprise: float = option(
        4.0,
        "Surprise in bits per token that the text is held at: 2 to the power of it is its perplexity under the model.",
        gt=0,
    )
    rate: float = option(0.1, "How fast the truncation follows what was drawn.", gt=0, le=1)


@dataclass(frozen=True, kw_only=True)
class RepetitionPenaltyOptions:
    """Options of the repetition penalty."""

    penalty: float = option(
        1.2, "Divides positive logits and multiplies negative ones of what occurred; 1 changes nothing.", gt=0
    )
    window: int = option(0, _WINDOW, ge=0)
    prompt: bool = option(True, _PROMPT)


@dataclass(frozen=True, kw_only=True)
class FrequencyPenaltyOptions:
    """Options of the frequency penalty."""

    penalty: float = option(0.5, "Taken from a token's logit for each time that it occurred; below 0 it favours repetition.")
    window: int = option(0, _WINDOW, ge=0)
    prompt: bool = option(False, _PROMPT)


@dataclass(frozen=True, kw_only=True)
class PresencePenaltyOptions:
    """Options of the presence penalty."""

    penalty: float = option(0.5, "Taken once from the logit of each token that occurred; below 0 it favours repetition.")
    window: int = option(0, _WINDOW, ge=0)
    prompt: bool = option(False, _PROMPT)


@dataclass(frozen=True, kw_only=True)
class NoRepeatNgramOptions:
    """Options of the ban on repeated n-grams."""

    n: int = option(3, "No sequence of so many tokens comes twice.", ge=1)
    prompt: bool = option(True, _PROMPT)


@dataclass(frozen=True, kw_only=True)
class DryOptions:
    """Options of DRY, don't repeat yourself."""

    multiplier: float = option(
        0.8, "Penalty of a token that would repeat one more than `allowed` tokens; 0 turns it off.", ge=0
    )
    base: float = option(1.75, "What each further repeated token multiplies the penalty by.", ge=1, le=10)
    allowed: int = option(2, "Longest repetition that goes unpunished, in tokens.", ge=1)
    breakers: tuple[str, ...] = option(
        ("\n", ":", '"', "*"), "A repetition is not followed across a token that holds one of these (\\n is a newline)."
    )
    window: int = option(0, _WINDOW, ge=0)
    prompt: bool = option(True, _PROMPT)


@dataclass(frozen=True, kw_only=True)
class BannedWordsOptions:
    """Options of the ban on words."""

    words: tuple[str, ...] = option((), "What must not be written, whatever stands around it: repeat the flag for several.")
    any_case: bool = option(False, "Ban each also in small letters, in capitals, and with a capital in front.")
