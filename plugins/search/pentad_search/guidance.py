"""Classifier-free guidance: Sanchez et al., Stay on topic with Classifier-Free Guidance, 2023.

The logits are log p(token | negative) + scale * (log p(token | prompt) - log p(token | negative)), where the text so far stands
behind both prompts. A text costs two passes a token.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pentad import Decoder, Limits, Session, TokenEvent, Tokenizer, Vocabulary
from pentad_search.drawing import Draws, sampler_of
from pentad_search.events import Bans, Sequence, step
from pentad_search.options import GuidanceOptions

_LEAST = -1e4


class Guidance(Decoder):
    """Draw more of what the prompt makes likely, and less of what a negative prompt does.

    Raises:
        UsageError: the sampler is unknown, or its options do not fit.
    """

    def __init__(self, options: GuidanceOptions, *, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        self.scale, self.negative = options.scale, options.negative
        self.sampler = sampler_of(options.sampler, tokenizer, vocabulary)

    def decode(self, session: Session, prompt: Tensor, limits: Limits) -> Iterator[TokenEvent]:
        """Yield the events of the sequences, one token of all after the other."""
        bans, beside = Bans(session, limits), session.fork()
        written = [Sequence(session, index, limits) for index in range(limits.samples)]
        draws = [Draws(self.sampler, prompt, limits.seed, index) for index in range(limits.samples)]
        logits = session.prefill(prompt.repeat(limits.samples, 1))  # (B, V)
        away = beside.prefill(session.prompt(self.negative).repeat(limits.samples, 1))
        for number in range(limits.max_tokens):
            guided = bans.apply(self._guided(logits, away), number)
            drawn = torch.full((limits.samples,), session.vocabulary.end_of_text, device=session.device)
            for index, sequence in enumerate(written):
                if sequence.ended:
                    continue
                token = draws[index].draw(draws[index].probabilities(guided[index], session.tokens[index]))
                draws[index].advance(token)
                drawn[index] = token
                yield sequence.event(step(token, logits[index], limits))
            if all(sequence.ended for sequence in written):
                return
            logits, away = session.extend(drawn), beside.extend(drawn)

    def _guided(self, logits: Tensor, away: Tensor) -> Tensor:
        # A token that a prompt makes impossible has minus infinity, of which no difference can be taken.
        kept, left = (one.log_softmax(dim=-1).clamp(min=_LEAST) for one in (logits, away))
        return torch.lerp(left, kept, self.scale)
