"""What decoders have in common: which ids are allowed, and the events of a sequence."""

from __future__ import annotations

import codecs
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pentad import Limits, Session, TokenEvent


@dataclass(frozen=True)
class Step:
    """A token with its log-probability and the likeliest ids in its place, both under the model and as far as asked for."""

    token: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...]


def step(token: int, logits: Tensor, limits: Limits) -> Step:
    """Return a token as a step, by the model's own logits (V,)."""
    if not (limits.logprobs or limits.alternatives):
        return Step(token, math.nan, ())
    logprobs = logits.log_softmax(dim=-1)
    best = logprobs.topk(min(limits.alternatives, len(logprobs)))
    return Step(token, float(logprobs[token]), tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True)))


class Bans:
    """Which ids must not be drawn at a place.

    Args:
        session: with the vocabulary.
        limits: say before which token no sequence may end.
    """

    def __init__(self, session: Session, limits: Limits) -> None:
        allowed = torch.from_numpy(session.vocabulary.drawable)
        endless = allowed.clone()
        endless[list(session.vocabulary.stops)] = False
        self._allowed, self._endless = (~mask.to(session.device) for mask in (allowed, endless))
        self._required = limits.max_tokens if limits.ignore_end else limits.min_tokens

    def apply(self, logits: Tensor, number: int) -> Tensor:
        """Return logits (…, V) of the token of a number, from 0, with minus infinity where an id must not be drawn."""
        return logits.masked_fill(self._endless if number < self._required else self._allowed, -math.inf)


class Sequence:
    """Makes the events of one sequence of its tokens, one after the other.

    Args:
        session: with tokenizer and vocabulary.
        index: the number of the sequence.
        limits: when it ends.
    """

    def __init__(self, session: Session, index: int, limits: Limits) -> None:
        self._session, self._index, self._limits = session, index, limits
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.length = 0
        self.ended = ""

    def event(self, step: Step, last: bool = False) -> TokenEvent:
        """Return the event of the next token; it ends the sequence where it stops it, or is the last."""
        vocabulary, self.length = self._session.vocabulary, self.length + 1
        stops = step.token in vocabulary.stops
        self.ended = "stop" if stops else "length" if last or self.length == self._limits.max_tokens else ""
        plain = not stops and step.token < vocabulary.tokenizer_size
        content = self._session.tokenizer.token_bytes(step.token) if plain else b""
        return TokenEvent(
            sequence=self._index,
            token=step.token,
            text=self._decoder.decode(content, final=bool(self.ended)),
            logprob=step.logprob if self._limits.logprobs else math.nan,
            alternatives=step.alternatives if self._limits.alternatives else (),
            ended=self.ended,
        )
