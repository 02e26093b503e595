"""Mirostat 2: Basu, Ramachandran, Keskar and Varshney, Mirostat: A Neural Text Decoding Algorithm, 2021 (algorithm 2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pentad import Sampler
from pentad_samplers.options import MirostatOptions
from pentad_samplers.truncation import keep, precise


@dataclass
class _Level:
    """Where one sequence is: the surprise in bits above which a token is left out, and the surprises (V,) of what is next."""

    maximum: float
    surprises: Tensor | None = None


class Mirostat(Sampler):
    """Draw among the tokens whose surprise is below a level that moves until what is drawn has the wanted surprise.

    The level begins at twice the wanted surprise. After each token it is lowered by the rate times how much more the token
    surprised, under the distribution before it was truncated, than was wanted. In a chain that distribution is what the
    samplers before it left.
    """

    def __init__(self, options: MirostatOptions) -> None:
        self.surprise, self.rate = options.surprise, options.rate

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return probabilities (B, V) of the first token."""
        return self.constrained(logits, tokens, self.start(tokens))

    def start(self, tokens: Tensor) -> list[_Level]:
        """Return the level of each sequence (B)."""
        return [_Level(2 * self.surprise) for _ in range(len(tokens))]

    def constrained(self, logits: Tensor, tokens: Tensor, state: list[_Level]) -> Tensor:
        """Return the softmax over the tokens below each sequence's level, and 0 elsewhere; notes what each would surprise."""
        del tokens
        surprises = precise(logits).log_softmax(dim=-1) / -math.log(2)  # (B, V) in bits
        for level, row in zip(state, surprises, strict=True):
            level.surprises = row
        maximum = torch.tensor([[level.maximum] for level in state], dtype=surprises.dtype, device=logits.device)
        return keep(logits, surprises <= maximum)

    def advance(self, state: list[_Level], drawn: Tensor) -> list[_Level]:
        """Return the levels after tokens (B,) were drawn."""
        return [self._moved(level, token) for level, token in zip(state, drawn.tolist(), strict=True)]

    def _moved(self, level: _Level, token: int) -> _Level:
        if level.surprises is None:
            return level
        surprise = float(level.surprises[token])
        if not math.isfinite(surprise):  # nothing that a sampler left out is drawn, unless another stands behind it
            return _Level(level.maximum)
        return _Level(level.maximum - self.rate * (surprise - self.surprise))
