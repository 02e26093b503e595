"""Samplers against repeated passages: a ban on n-grams, and a penalty that grows with the length of the repetition.

- `no-repeat-ngram`: Paulus, Xiong and Socher, A Deep Reinforced Model for Abstractive Summarization, 2017 (trigrams).
- `dry`: Weidmann, Don't Repeat Yourself, text-generation-webui pull request 5677, 2024.

Tokens that end a text and special tokens are never held back.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pentad import Sampler, Tokenizer, Vocabulary, tempered_softmax
from pentad_samplers.options import DryOptions, NoRepeatNgramOptions
from pentad_samplers.penalties import is_text
from pentad_samplers.truncation import precise

_LONGEST = 50
"""Tokens of a repetition that are counted; the penalty of longer ones would be beyond any number."""


class NoRepeatNgram(Sampler):
    """Forbid each token that would complete an n-gram that the text has already.

    Where that leaves nothing that is possible, nothing is forbidden. The state of a sequence is where its prompt ends.
    """

    def __init__(self, options: NoRepeatNgramOptions, *, vocabulary: Vocabulary) -> None:
        self.n, self.prompt = options.n, options.prompt
        self._is_text = is_text(vocabulary)

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return probabilities (B, V) behind a prompt (B, T)."""
        return self.constrained(logits, tokens, self.start(tokens))

    def start(self, tokens: Tensor) -> list[int]:
        """Return from where on tokens count, for each sequence (B)."""
        return [0 if self.prompt else tokens.shape[1]] * len(tokens)

    def constrained(self, logits: Tensor, tokens: Tensor, state: list[int]) -> Tensor:
        """Return the softmax (B, V) over what repeats no n-gram."""
        banned = torch.zeros_like(logits, dtype=torch.bool)
        tokens = tokens.to(logits.device)
        for row, first in enumerate(state):
            text = tokens[row, first:]
            if len(text) >= self.n:
                banned[row, self._completions(text)] = True
        banned &= self._is_text.to(logits.device)
        left = logits.masked_fill(banned, -math.inf)
        possible = left.amax(dim=-1, keepdim=True) > -math.inf
        return tempered_softmax(torch.where(possible, left, logits))

    def _completions(self, text: Tensor) -> Tensor:
        """Return the last ids of the n-grams of a text (T,) that begin with its newest n - 1 tokens."""
        ngrams = text.unfold(0, self.n, 1)  # (T - n + 1, n)
        begun = text[len(text) - self.n + 1 :]
        return ngrams[(ngrams[:, :-1] == begun).all(dim=-1), -1]


class Dry(Sampler):
    """Take multiplier * base ** (length - allowed) from the logit of a token that would go on with a repetition.

    The length is that of the longest passage that the text ends with and that the token followed earlier. Passages do not
    reach across a breaker, such as a newline, and a breaker is not punished itself. The state of a sequence is where its prompt
    ends.
    """

    def __init__(self, options: DryOptions, *, tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
        self.options = options
        marks = [breaker.replace("\\n", "\n").encode() for breaker in options.breakers]
        self._breaks = ~is_text(vocabulary)
        for token in range(vocabulary.tokenizer_size):
            content = tokenizer.token_bytes(token)
            if any(mark in content for mark in marks):
                self._breaks[token] = True

    def probabilities(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Return probabilities (B, V) behind a prompt (B, T)."""
        return self.constrained(logits, tokens, self.start(tokens))

    def start(self, tokens: Tensor) -> list[int]:
        """Return from where on tokens count, for each sequence (B)."""
        return [0 if self.options.prompt else tokens.shape[1]] * len(tokens)

    def constrained(self, logits: Tensor, tokens: Tensor, state: list[int]) -> Tensor:
        """Return the softmax (B, V) of the logits less the penalties."""
        exact = precise(logits).clone()
        for row, first in enumerate(state):
            if self.options.window:
                first = max(first, tokens.shape[1] - self.options.window)
            for token, length in self._repetitions(tokens[row, first:].tolist()).items():
                if length >= self.options.allowed:
                    exact[row, token] -= self.options.multiplier * self.options.base ** (length - self.options.allowed)
        return tempered_softmax(exact).to(logits.dtype)

    def _repetitions(self, text: list[int]) -> dict[int, int]:
        """Return the tokens that would go on with a repetition, with the length of the longest one."""
        if not text or self._breaks[text[-1]]:
            return {}
        found: dict[int, int] = {}
        for place in range(len(text) - 1):
            following = text[place + 1]
            if text[place] == text[-1] and not self._breaks[following]:
                found[following] = max(found.get(following, 0), self._length(text, place))
        return found

    def _length(self, text: list[int], place: int) -> int:
        """Return how many tokens up to a place are those that the text ends with."""
        length = 1
        while length < min(_LONGEST, place + 1):
            token = text[-1 - length]
            if text[place - length] != token or self._breaks[token]:
                break
            length += 1
        return length
