"""How sure the model was of what it wrote: each token with its probability, as colours in the text or as a table.

The probability is the model's own, before a sampler changed it: a text that reads well may still be one that the model took
for unlikely, token by token.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pentad_cli.terminal.output import cells, paint
from pentad_cli.terminal.text import plural, visible_bytes, visible_line

if TYPE_CHECKING:
    from pentad.contracts.session import TokenEvent
    from pentad.runs.saved_run import SavedRun

SHADES = ((0.5, "green"), (0.2, "cyan"), (0.05, "yellow"), (0.0, "red"))
"""The least probability of a token, and how it is painted."""


_TOKEN_WIDTH = 16


def shade(logprob: float) -> str:
    """Return how to paint a token of a log-probability in nats; nothing where it is not known."""
    if math.isnan(logprob):
        return ""
    return next(style for least, style in SHADES if math.exp(logprob) >= least)


def legend() -> str:
    """Say what the colours mean, in these colours."""
    words, above = [], 0.0
    for least, style in SHADES:
        bound = f"below {above:.0%}" if not least else f"{least:.0%} and more"
        words.append(paint(bound, style, sys.stderr))
        above = least
    return f"A token's probability: {', '.join(words)}"


def spelled(saved: SavedRun, token: int) -> str:
    """Return how a token is shown on one line: its text or bytes in quotes, or a special token's name."""
    if token >= saved.vocabulary.tokenizer_size:
        return saved.vocabulary.spelling(token) or ""
    content = saved.tokenizer.token_bytes(token)
    if content:
        return f'"{visible_bytes(content)}"'
    names = {number: name for name, number in saved.tokenizer.special_tokens.items()}
    return visible_line(names.get(token, ""))


def header(alternatives: int) -> str:
    """Return the first line of a table of tokens."""
    return f"probability  {'token':<{_TOKEN_WIDTH}}others" if alternatives else "probability  token"


def others(event: TokenEvent, number: int) -> list[tuple[int, float]]:
    """Return the likeliest ids beside the one that was drawn, with their log-probabilities, at most so many."""
    return [(token, logprob) for token, logprob in event.alternatives if token != event.token][:number]


def row(saved: SavedRun, event: TokenEvent, alternatives: int) -> str:
    """Return the line of a table for a token: probability, token, and what was likeliest in its place."""
    token = spelled(saved, event.token)
    line = f"{_percent(event.logprob):>11}  {paint(token, shade(event.logprob))}"
    beside = [f"{spelled(saved, other)} {_percent(logprob)}" for other, logprob in others(event, alternatives)]
    if beside:
        line += " " * max(1, _TOKEN_WIDTH - cells(token)) + "  ".join(beside)
    return line


def to_json(saved: SavedRun, event: TokenEvent, alternatives: int) -> dict[str, Any]:
    """Return a token for machines: its id, how it is spelled, its log-probability in nats, and the alternatives with theirs."""
    found = {"token": event.token, "text": spelled(saved, event.token), "logprob": event.logprob}
    if not alternatives:
        return found
    beside = others(event, alternatives)
    return {**found, "alternatives": [{"token": t, "text": spelled(saved, t), "logprob": p} for t, p in beside]}


def summary(logprobs: Sequence[float]) -> str:
    """Say how sure the model was of a text as a whole; nothing where that is not known."""
    if not logprobs or any(map(math.isnan, logprobs)):
        return ""
    unlikely = sum(math.exp(logprob) < SHADES[-2][0] for logprob in logprobs)
    return (
        f"perplexity {math.exp(-sum(logprobs) / len(logprobs)):.1f} under the model; "
        f"{unlikely} of {plural(len(logprobs), 'token')} below {SHADES[-2][0]:.0%}"
    )


def _percent(logprob: float) -> str:
    probability = math.exp(logprob) if not math.isnan(logprob) else math.nan
    return f"{probability:.1%}" if not probability < 0.001 else f"{100 * probability:.2g}%"
