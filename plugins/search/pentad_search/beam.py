"""Beam search: Lowerre, The Harpy Speech Recognition System, 1976; the penalty on lengths as the library transformers has it.

At each token, the likeliest sequences of all that continue those in the beam are kept. One that ends leaves the beam and is
kept by its score, its log-probability divided by its length to the power of `length_penalty`. The search is over when no
sequence of the beam, were it to end now, would be better than the worst of as many ended ones as the beam is wide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pentad import Decoder, Limits, Session, TokenEvent
from pentad_search.events import Bans, Step, step
from pentad_search.events import Sequence as Written
from pentad_search.options import BeamOptions


@dataclass(frozen=True)
class _Path:
    """A sequence: its log-probability, its steps, and the row of the session that it grew from."""

    logprob: float = 0.0
    steps: tuple[Step, ...] = ()
    row: int = 0


class Beam(Decoder):
    """The likeliest sequences that a beam finds, best first; nothing is drawn, so the seed changes nothing."""

    def __init__(self, options: BeamOptions) -> None:
        self.width, self.length_penalty = options.width, options.length_penalty

    def decode(self, session: Session, prompt: Tensor, limits: Limits) -> Iterator[TokenEvent]:
        """Yield the events of the `limits.samples` best sequences, one sequence after the other."""
        found = self._search(session, prompt, limits)
        for index in range(limits.samples):  # fewer are found only where the vocabulary is smaller: then again from the first
            steps = found[index % len(found)].steps
            sequence = Written(session, index, limits)
            yield from (sequence.event(step, last=number == len(steps)) for number, step in enumerate(steps, 1))

    def _search(self, session: Session, prompt: Tensor, limits: Limits) -> list[_Path]:
        """Return the ended sequences, best first."""
        width, bans, stops = max(self.width, limits.samples), Bans(session, limits), session.vocabulary.stops
        logits = session.prefill(prompt[None])
        alive, ended = [_Path()], list[_Path]()
        for number in range(limits.max_tokens):
            last = number + 1 == limits.max_tokens
            # So many that, whichever of them end, the beam stays full.
            grown = _grow(alive, logits, bans.apply(logits.log_softmax(dim=-1), number), (1 + len(stops)) * width, limits)
            ended += [path for path in grown[:width] if last or path.steps[-1].token in stops]
            ended = sorted(ended, key=self._score, reverse=True)[:width]
            alive = [path for path in grown if path.steps[-1].token not in stops][:width]
            if last or not alive or (len(ended) == width and self._score(alive[0]) <= self._score(ended[-1])):
                break
            session.select(torch.tensor([path.row for path in alive], device=session.device))
            logits = session.extend(torch.tensor([path.steps[-1].token for path in alive], device=session.device))
        return ended

    def _score(self, path: _Path) -> float:
        return float(path.logprob / len(path.steps) ** self.length_penalty)


def _grow(alive: Sequence[_Path], logits: Tensor, logprobs: Tensor, number: int, limits: Limits) -> list[_Path]:
    """Return the likeliest ways to put a token behind paths (B), of logits (B, V) and allowed log-probabilities (B, V)."""
    scores = torch.tensor([path.logprob for path in alive], device=logits.device)[:, None] + logprobs
    best = scores.flatten().topk(min(number, scores.numel()))
    grown = []
    for score, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        row, token = divmod(place, logprobs.shape[1])
        if score > -torch.inf:
            grown.append(_Path(score, (*alive[row].steps, step(token, logits[row], limits)), row))
    return grown
