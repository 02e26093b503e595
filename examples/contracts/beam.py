"""Proves the contract of decoders (`pentad.Decoder`): beam search, which drives the session by `select` and `extend`.

engine run --plugin examples/contracts/beam.py --data book.txt --sampler beam --sampler.width 4
engine generate runs/NAME --plugin examples/contracts/beam.py --sampler beam
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pentad import Decoder, Implementation, Limits, Session, TokenEvent, hookimpl, option


@dataclass(frozen=True, kw_only=True)
class BeamOptions:
    """How wide to search."""

    width: int = option(4, "Sequences that are kept at each token.", ge=1)


@dataclass(frozen=True)
class _Step:
    token: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class _Path:
    """A sequence of the beam: its log-probability, its steps, the row of the session that it grew from, whether it ended."""

    score: float = 0.0
    steps: tuple[_Step, ...] = ()
    row: int = 0
    ended: bool = False


class Beam(Decoder):
    """The likeliest sequences that a beam finds, likeliest first; nothing is drawn, so the seed changes nothing.

    An ended sequence keeps its place in the beam for as long as it is among the likeliest.
    """

    def __init__(self, options: BeamOptions) -> None:
        self.width = options.width

    def decode(self, session: Session, prompt: Tensor, limits: Limits) -> Iterator[TokenEvent]:
        """Yield the events of the `limits.samples` likeliest sequences, one sequence after the other."""
        width = max(self.width, limits.samples)
        allowed = torch.from_numpy(session.vocabulary.drawable).to(session.device)
        logits = session.prefill(prompt[None])
        alive, beam = [_Path()], [_Path()]
        for number in range(limits.max_tokens):
            grown = _grow(alive, logits, allowed, width, limits.alternatives, session.vocabulary.stops)
            beam = sorted([path for path in beam if path.ended] + grown, key=lambda path: -path.score)[:width]
            alive = [path for path in beam if not path.ended]
            if not alive or number + 1 == limits.max_tokens:
                break
            session.select(torch.tensor([path.row for path in alive], device=session.device))
            logits = session.extend(torch.tensor([path.steps[-1].token for path in alive], device=session.device))
        for sequence in range(limits.samples):  # fewer paths than samples only where the vocabulary is smaller: then again
            yield from _events(beam[sequence % len(beam)], sequence, session, limits)


def _grow(
    alive: Sequence[_Path], logits: Tensor, allowed: Tensor, width: int, n_alternatives: int, stops: frozenset[int]
) -> list[_Path]:
    """Return the `width` likeliest ways to put one token behind the paths (B) whose logits (B, V) these are."""
    logprobs = logits.log_softmax(dim=-1)  # (B, V)
    scores = torch.tensor([path.score for path in alive], device=logits.device)[:, None] + logprobs
    best = scores.masked_fill(~allowed, -math.inf).flatten().topk(min(width, scores.numel()))
    likeliest = logprobs.topk(min(n_alternatives, logprobs.shape[1]))
    grown = []
    for score, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        row, token = divmod(place, logprobs.shape[1])
        if score > -math.inf:
            others = tuple(zip(likeliest.indices[row].tolist(), likeliest.values[row].tolist(), strict=True))
            step = _Step(token, float(logprobs[row, token]), others)
            grown.append(_Path(score, (*alive[row].steps, step), row, token in stops))
    return grown


def _events(path: _Path, sequence: int, session: Session, limits: Limits) -> Iterator[TokenEvent]:
    """Yield the events of a path that is complete."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for number, step in enumerate(path.steps, 1):
        last = number == len(path.steps)
        ended = "" if not last else "stop" if path.ended else "length"
        plain = ended != "stop" and step.token < session.vocabulary.tokenizer_size
        text = decoder.decode(session.tokenizer.token_bytes(step.token) if plain else b"", final=last)
        logprob = step.logprob if limits.logprobs else math.nan
        yield TokenEvent(
            sequence=sequence, token=step.token, text=text, logprob=logprob, alternatives=step.alternatives, ended=ended
        )


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    """Offer the decoder: it is chosen as samplers are."""
    return [Implementation(name="beam", summary="The likeliest sequences by beam search.", factory=Beam, options=BeamOptions)]
