"""The sampler contract: logits to the distribution from which the next token is drawn.

A sampler's factory is called as `factory(options)`. It returns probabilities and draws nothing itself: core draws, with a
seeded generator per sequence, so that a sequence does not depend on what else is in its batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


class Sampler(ABC):
    """Logits to probabilities.

    Promises, each checked by the conformance kit: rows sum to 1, no probability is negative or NaN, what had a logit of
    minus infinity keeps probability 0, and rows do not touch each other.
    """

    @abstractmethod
    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return probabilities (B, V).

        Args:
            logits: (B, V) float32; ids that must not be drawn stand at minus infinity.
            tokens: (B, T) int64, the sequence so far, the prompt included.
        """


def tempered_softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the probabilities (B, V) of logits (B, V) divided by a temperature.

    The highest logit is taken off before the division, so that no logit is too large and no temperature too low.
    """
    return ((logits - logits.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)
