"""Speculative decoding: Leviathan, Kalman and Matias, Fast Inference from Transformers via Speculative Decoding, 2023.

A draft proposes some tokens, the model reads them in one pass, and each is accepted with probability min(1, p / q), where p and
q are its probabilities under the model and the draft. The first that is not is drawn anew from what p has above q. What is
written so has exactly the distribution that the sampler alone gives; only the random numbers fall otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pentad import Decoder, Limits, Session, TokenEvent, Tokenizer, Vocabulary
from pentad_search.drawing import Draws, sampler_of
from pentad_search.events import Bans, Sequence, step
from pentad_search.options import SpeculativeOptions
from pentad_search.proposals import DraftModel, Lookup, Proposer, open_draft


class Speculative(Decoder):
    """Draw as a sampler does, from tokens that a cheaper draft proposes several at a time.

    Attributes:
        proposed, accepted: tokens so far, of all texts.

    Raises:
        UsageError: the sampler is unknown, or its options do not fit.
    """

    def __init__(self, options: SpeculativeOptions, *, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        self.options = options
        self.sampler = sampler_of(options.sampler, tokenizer, vocabulary)
        self.proposed = self.accepted = 0
        self.draft: Session | None = None

    def decode(self, session: Session, prompt: Tensor, limits: Limits) -> Iterator[TokenEvent]:
        """Yield the events of the sequences, one sequence after the other."""
        if self.options.draft and self.draft is None:
            self.draft = open_draft(self.options.draft, session)
        for index in range(limits.samples):
            proposer = Lookup(session.vocabulary.size) if self.draft is None else DraftModel(self.draft)
            yield from self._write(session, proposer, prompt, limits, index)

    def _write(self, session: Session, proposer: Proposer, prompt: Tensor, limits: Limits, index: int) -> Iterator[TokenEvent]:
        """Yield the events of one sequence, in rounds of a proposal and a pass of the model."""
        bans, sequence = Bans(session, limits), Sequence(session, index, limits)
        draws = Draws(self.sampler, prompt, limits.seed, index)
        text = prompt
        logits = session.prefill(prompt[None])  # (1, V) of what comes behind all that is read
        while True:
            unread = text[len(session.tokens[0]) :]  # of later rounds, the token that was drawn at the end of the one before
            number = min(self.options.tokens, limits.max_tokens - sequence.length - 1)
            if session.room is not None:  # a context that moves on within a round could not go back
                number = min(number, session.room - len(unread))
            proposal: tuple[list[int], list[Tensor]] = ([], [])
            if number > 0:
                proposal = proposer.propose(text, number, sequence.length, draws, bans)
            ids = torch.tensor(proposal[0], dtype=torch.int64, device=text.device)
            reading = torch.cat([unread, ids])
            if len(reading):
                found = session.read(reading[None])[0]  # (N, V)
                logits = found if len(unread) else torch.cat([logits, found])
            written = self._judge(logits, text, proposal, bans, draws, sequence.length)
            for place, token in enumerate(written):
                yield sequence.event(step(token, logits[place], limits))
                if sequence.ended:
                    return
            text = torch.cat([text, torch.tensor(written, dtype=torch.int64, device=text.device)])
            session.truncate(len(text) - 1)

    def _judge(
        self,
        logits: Tensor,
        text: Tensor,
        proposal: tuple[list[int], list[Tensor]],
        bans: Bans,
        draws: Draws,
        done: int,
    ) -> list[int]:
        """Return the proposed tokens that are accepted, and one that is drawn behind them.

        Args:
            logits: (N + 1, V) of the model, for each of N proposed tokens and for the one behind them.
            text: (T,) before the proposal.
            proposal: N tokens, and the distributions (V,) that they were drawn from.
            bans, draws: what must not be drawn, and what draws.
            done: how many tokens of the text were generated.
        """
        written: list[int] = []
        self.proposed += len(proposal[0])
        for token, draft in zip(*proposal, strict=True):
            wanted = draws.probabilities(bans.apply(logits[len(written)], done + len(written)), text)
            if draws.generator.random() * float(draft[token]) >= float(wanted[token]):
                rest = (wanted - draft).clamp(min=0)
                # Where rounding left nothing above the draft, the two are the same.
                return [*written, self._drawn(rest if float(rest.sum()) > 0 else wanted, draws)]
            self.accepted += 1
            written.append(token)
            draws.advance(token)
            text = torch.cat([text, torch.tensor([token], device=text.device)])
        wanted = draws.probabilities(bans.apply(logits[len(written)], done + len(written)), text)
        return [*written, self._drawn(wanted, draws)]

    def _drawn(self, probabilities: Tensor, draws: Draws) -> int:
        token = draws.draw(probabilities)
        draws.advance(token)
        return token
