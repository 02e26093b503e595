"""Contrastive search: Su, Lan, Wang, Yogatama, Kong and Collier, A Contrastive Framework for Neural Text Generation, 2022.

Of the k likeliest tokens, the one with the highest (1 - alpha) * probability - alpha * likeness is written, where likeness is
the highest cosine similarity of the model's features of the token to those of a token before it. So it costs a pass of k
sequences for each token.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pentad import Decoder, Limits, Session, TokenEvent
from pentad_search.events import Bans, Sequence, Step, step
from pentad_search.options import ContrastiveOptions


class Contrastive(Decoder):
    """A likely token that is unlike those before it. Nothing is drawn, so all texts are the same.

    Tokens that the model no longer looks back on, as its context is full, are no longer compared with either.
    """

    def __init__(self, options: ContrastiveOptions) -> None:
        self.k, self.alpha = options.k, options.alpha

    def decode(self, session: Session, prompt: Tensor, limits: Limits) -> Iterator[TokenEvent]:
        """Yield the events of the sequences, one token of all after the other."""
        sequences = [Sequence(session, index, limits) for index in range(limits.samples)]
        for found in self._steps(session, prompt, limits):
            yield from [sequence.event(found) for sequence in sequences]
            if sequences[0].ended:
                return

    def _steps(self, session: Session, prompt: Tensor, limits: Limits) -> Iterator[Step]:
        bans = Bans(session, limits)
        logits = session.prefill(prompt[None])  # (1, V)
        before = session.features[0].float()  # (T, D)
        for number in range(limits.max_tokens):
            allowed = bans.apply(logits[0], number).softmax(dim=-1)
            likeliest, candidates = allowed.topk(min(self.k, int((allowed > 0).sum())))
            session.select(torch.zeros_like(candidates))
            following = session.extend(candidates)  # (K, V)
            features = session.features.float()  # (K, N, D)
            if features.shape[1] > 1:  # the state was built again, so those that are still looked back on are read anew
                before = features[0, :-1]
            likeness = _cosine(features[:, -1], before).amax(dim=-1)  # (K,)
            best = int(((1 - self.alpha) * likeliest - self.alpha * likeness).argmax())
            yield step(int(candidates[best]), logits[0], limits)
            session.select(torch.tensor([best], device=session.device))
            logits, before = following[best : best + 1], torch.cat([before, features[best, -1:]])


def _cosine(rows: Tensor, others: Tensor) -> Tensor:
    """Return the cosine similarity (K, T) of features (K, D) and others (T, D)."""
    return torch.nn.functional.normalize(rows, dim=-1) @ torch.nn.functional.normalize(others, dim=-1).T
