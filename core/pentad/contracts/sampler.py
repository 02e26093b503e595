"""The sampler contract: logits to the distribution from which the next token is drawn.

A sampler's factory is called as `factory(options)`; it may name `vocabulary` and `tokenizer` and then gets them. A `Sampler`
returns probabilities and draws nothing itself: core draws, with a seeded generator per sequence, so that a sequence does not
depend on what else is in its batch. (A factory may also return a `Decoder`, which drives the session itself.) Samplers are
chained by `+` wherever a sampler is named: `top-k+temperature` takes the probabilities of the first as the logits (their
logarithms) of the second, and has the options `top-k.k` and `temperature.temperature`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
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

    def start(self, tokens: Tensor) -> Any:
        """Return a state per sequence for what is drawn behind prompts (B, T), a list of B entries; None to need none."""
        del tokens
        return None

    def constrained(self, logits: Tensor, tokens: Tensor, state: Any) -> Tensor:
        """Return probabilities (B, V) with the state that `start` returned; the same as `probabilities` unless overridden.

        Core calls this one. A sampler that keeps a state (a grammar, mirostat) overrides it, and `advance`.
        """
        del state
        return self.probabilities(logits, tokens)

    def advance(self, state: Any, drawn: Tensor) -> Any:
        """Return the state after tokens (B,) were drawn."""
        del drawn
        return state


class Chain(Sampler):
    """Samplers one after the other: the logarithms of one's probabilities are the next one's logits."""

    def __init__(self, samplers: tuple[Sampler, ...]) -> None:
        self.samplers = samplers

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return what the last sampler makes of what the others left."""
        return self.constrained(logits, tokens, self.start(tokens))

    def start(self, tokens: Tensor) -> list[Any]:
        """Return the state of each sampler."""
        return [sampler.start(tokens) for sampler in self.samplers]

    def constrained(self, logits: Tensor, tokens: Tensor, state: Any) -> Tensor:
        """Return what the last sampler makes of what the others left."""
        probabilities = logits.softmax(dim=-1)
        for number, (sampler, own) in enumerate(zip(self.samplers, state, strict=True)):
            probabilities = sampler.constrained(logits if number == 0 else probabilities.log(), tokens, own)
        return probabilities

    def advance(self, state: Any, drawn: Tensor) -> list[Any]:
        """Advance each sampler's state."""
        return [sampler.advance(own, drawn) for sampler, own in zip(self.samplers, state, strict=True)]


def tempered_softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the probabilities (B, V) of logits (B, V) divided by a temperature.

    The highest logit is subtracted before the division, so that no logit is too large and no temperature too low.
    """
    return torch.softmax((logits - logits.amax(dim=-1, keepdim=True)) / temperature, dim=-1)
