"""Every prefix of every document and the token that comes next: `[1212, 318, 502, 3047] -> 257`.

As textbooks draw language modelling (Raschka, Build a Large Language Model (From Scratch), 2024, chapter 2), and as a network
first learned it: a context and its next word (Bengio et al., A Neural Probabilistic Language Model, 2003).

- One example a row: the prefix from the left, its last position learns the next token, the rest of the row is filled with
  end-of-text and ignored. A causal model never sees the filling. A prefix longer than the row keeps its last tokens.
- A prefix starts with the end-of-text that opens its document. So the empty prefix can be learned (a text from no prompt),
  and a model reads at evaluation and generation what it read in training. `pentad.contracts.builder.pairs` leaves that id out,
  as textbooks do.
- Prefixes never cross a document. The end of a document is learned from the whole of it.

Each example learns one token at the cost of a row, so this builder is for seeing and for small texts; next-token learns
the same from all prefixes of a row at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pentad import IGNORED, Batch, ExampleBuilder, Tokens, shuffled
from pentad_prefix.options import PrefixOptions

_Integers = npt.NDArray[np.int64]


class Prefix(ExampleBuilder):
    """Every prefix of a document and its next token."""

    def __init__(self, options: PrefixOptions, *, context_length: int, vocab_size: int, end_of_text: int) -> None:
        del vocab_size
        self.min_prefix = options.min_prefix
        self.context_length = context_length
        self.end_of_text = end_of_text

    def count(self, tokens: Tokens) -> int:
        """Return how many tokens of the text have at least `min_prefix` tokens of their document before them."""
        if self.min_prefix == 0:
            return max(0, len(tokens) - 1)
        return int(self._examples_before(tokens)[-1])

    def build(self, tokens: Tokens, indices: _Integers, seed: int | None) -> Batch:
        """Return prefixes (B, T) and targets (B, T), one in a row."""
        _, examples = shuffled(indices, self.count(tokens), seed)
        at = self._targets(tokens, examples)  # (B,) places in the text
        plain, columns = np.asarray(tokens.ids), np.arange(self.context_length)
        before = at[:, None] - self.context_length + columns  # (B, T), the last one stands right before the target
        seen = plain[np.maximum(before, 0)].astype(np.int64)
        first = self._first(tokens, at)  # (B,) column at which the prefix starts
        lengths = self.context_length - first
        from_left = np.minimum(first[:, None] + columns, self.context_length - 1)
        inputs = np.where(columns < lengths[:, None], np.take_along_axis(seen, from_left, axis=1), self.end_of_text)
        targets = np.full_like(inputs, IGNORED)
        learned = plain[at].astype(np.int64)
        if tokens.learn is not None:
            learned[~np.asarray(tokens.learn)[at]] = IGNORED
        targets[np.arange(len(at)), lengths - 1] = learned
        return Batch(inputs=inputs, targets=targets)

    def _first(self, tokens: Tokens, at: _Integers) -> _Integers:
        """Return the column (B,) at which the prefix of each target starts: where its document opens, or the row."""
        opens = tokens.starts[np.searchsorted(tokens.starts, at) - 1]
        first: _Integers = np.maximum(0, self.context_length - at + opens)
        return first

    def _targets(self, tokens: Tokens, examples: _Integers) -> _Integers:
        """Return the place in the text of each example's target."""
        if self.min_prefix == 0:
            return examples + 1
        before = self._examples_before(tokens)
        documents = np.searchsorted(before, examples, side="right") - 1
        return tokens.starts[documents] + 1 + self.min_prefix + examples - before[documents]

    def _examples_before(self, tokens: Tokens) -> _Integers:
        """Return how many examples stand before each document (N,), and in all (N + 1,)."""
        examples = np.maximum(0, np.diff(tokens.starts) - self.min_prefix)  # the last start opens no document
        return np.concatenate(([0], np.cumsum(examples)))
