"""Proves the contract of samplers with a state (`Sampler.start`, `constrained`, `advance`): texts that match [0-9]{1,most}.

engine run --plugin examples/contracts/digits.py --data book.txt --sampler digits
engine generate runs/NAME --plugin examples/contracts/digits.py --sampler digits --sampler.most 3

What ships for this is `--sampler regex --sampler.pattern "[0-9]{1,3}"`; here is how such a sampler is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pentad import Implementation, Sampler, Tokenizer, UsageError, Vocabulary, hookimpl, option

_DIGITS = frozenset(b"0123456789")


@dataclass(frozen=True, kw_only=True)
class DigitsOptions:
    """The longest number."""

    most: int = option(9, "Digits of a text at most.", ge=1)


class Digits(Sampler):
    """The model's own distribution over what the expression allows next.

    The state of a sequence is how many digits it has: with none it may not end yet, with `most` of them it must.

    Raises:
        UsageError: the tokenizer has no token of digits alone.
    """

    def __init__(self, options: DigitsOptions, *, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        sizes = [_digits(tokenizer.token_bytes(token)) for token in range(vocabulary.tokenizer_size)]
        sizes += [0] * len(vocabulary.special)
        if 1 not in sizes:
            raise UsageError(
                "The sampler digits needs a tokenizer with a token of one digit; found none.",
                "Use another --sampler, or train with --tokenizer byte.",
                code="no-digit-token",
            )
        self.most = options.most
        self._sizes = torch.tensor(sizes)  # (V,) digits of each id, 0 where it is anything else
        self._stops = torch.zeros(vocabulary.size, dtype=torch.bool)
        self._stops[list(vocabulary.stops)] = True

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return probabilities (B, V) of the first token."""
        return self.constrained(logits, tokens, self.start(tokens))

    def start(self, tokens: Tensor) -> list[int]:
        """Return how many digits each sequence (B) has: none, whatever the prompt says."""
        return [0] * len(tokens)

    def constrained(self, logits: Tensor, tokens: Tensor, state: list[int]) -> Tensor:
        """Return probabilities (B, V): zero for what the expression forbids."""
        del tokens
        drawn = torch.tensor(state)[:, None]
        fits = (self._sizes > 0) & (drawn + self._sizes <= self.most)  # (B, V)
        allowed = fits | (self._stops & (drawn > 0))
        return logits.masked_fill(~allowed.to(logits.device), -torch.inf).softmax(dim=-1)

    def advance(self, state: list[int], drawn: Tensor) -> list[int]:
        """Count the digits of the tokens (B,) that were drawn."""
        return [digits + int(self._sizes[token]) for digits, token in zip(state, drawn.tolist(), strict=True)]


def _digits(content: bytes) -> int:
    """Return the number of digits of a token, 0 where it is not of digits alone."""
    return len(content) if content and set(content) <= _DIGITS else 0


@hookimpl
def engine_samplers() -> Sequence[Implementation]:
    """Offer the sampler."""
    return [Implementation(name="digits", summary="Texts of digits and nothing else.", factory=Digits, options=DigitsOptions)]
