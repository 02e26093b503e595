"""Penalties on tokens that occurred, on their logits: in a chain they stand in front (`repetition-penalty+top-p`).

- `repetition-penalty`: Keskar et al., CTRL: A Conditional Transformer Language Model for Controllable Generation, 2019.
- `frequency-penalty`, `presence-penalty`: the parameters of these names of OpenAI's completions, 2020.

Tokens that end a text and special tokens are never punished: each text has them, and would then not end where it should.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from pentad import Sampler, Vocabulary, tempered_softmax
from pentad_samplers.options import FrequencyPenaltyOptions, PresencePenaltyOptions, RepetitionPenaltyOptions
from pentad_samplers.truncation import precise


def is_text(vocabulary: Vocabulary) -> Tensor:
    """Return which ids (V,) stand for text: neither special nor ending a sequence."""
    found = torch.arange(vocabulary.size) < vocabulary.tokenizer_size
    found[list(vocabulary.stops)] = False
    return found


class _Counting(Sampler):
    """A sampler that changes the logits by how often each token occurred. The state of a sequence is where its prompt ends."""

    def __init__(self, window: int, prompt: bool, vocabulary: Vocabulary) -> None:
        self.window, self.prompt = window, prompt
        self._is_text = is_text(vocabulary)

    @abstractmethod
    def changed(self, logits: Tensor, counts: Tensor) -> Tensor:
        """Return logits (B, V) changed by how often each token occurred, (B, V), both in double precision."""

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return probabilities (B, V) behind a prompt (B, T)."""
        return self.constrained(logits, tokens, self.start(tokens))

    def start(self, tokens: Tensor) -> list[int]:
        """Return from where on tokens count, for each sequence (B)."""
        return [0 if self.prompt else tokens.shape[1]] * len(tokens)

    def constrained(self, logits: Tensor, tokens: Tensor, state: list[int]) -> Tensor:
        """Return the softmax (B, V) of the changed logits."""
        length = tokens.shape[1]
        first = torch.tensor(state, device=logits.device)[:, None]
        if self.window:
            first = first.clamp(min=length - self.window)
        exact = precise(logits)
        counting = (torch.arange(length, device=logits.device) >= first).to(exact.dtype)  # (B, T)
        counts = torch.zeros_like(exact).scatter_add_(-1, tokens.to(logits.device), counting)
        counts *= self._is_text.to(logits.device)
        return tempered_softmax(self.changed(exact, counts)).to(logits.dtype)


class RepetitionPenalty(_Counting):
    """Divide positive logits of tokens that occurred by the penalty, and multiply negative ones."""

    def __init__(self, options: RepetitionPenaltyOptions, *, vocabulary: Vocabulary) -> None:
        super().__init__(options.window, options.prompt, vocabulary)
        self.penalty = options.penalty

    def changed(self, logits: Tensor, counts: Tensor) -> Tensor:
        """Return the logits (B, V), lower for what occurred."""
        factor = torch.where(logits > 0, 1 / self.penalty, self.penalty)
        return torch.where((counts > 0) & logits.isfinite(), logits * factor, logits)


class FrequencyPenalty(_Counting):
    """Take the penalty from a token's logit for each time that it occurred."""

    def __init__(self, options: FrequencyPenaltyOptions, *, vocabulary: Vocabulary) -> None:
        super().__init__(options.window, options.prompt, vocabulary)
        self.penalty = options.penalty

    def changed(self, logits: Tensor, counts: Tensor) -> Tensor:
        """Return the logits (B, V), lower by the penalty times the count."""
        return logits - self.penalty * counts


class PresencePenalty(_Counting):
    """Take the penalty once from the logit of each token that occurred."""

    def __init__(self, options: PresencePenaltyOptions, *, vocabulary: Vocabulary) -> None:
        super().__init__(options.window, options.prompt, vocabulary)
        self.penalty = options.penalty

    def changed(self, logits: Tensor, counts: Tensor) -> Tensor:
        """Return the logits (B, V), lower by the penalty where the count is not zero."""
        return logits - self.penalty * (counts > 0)
