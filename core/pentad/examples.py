"""The example-builder contract: tokens to what is learned from them (self-supervision by masking the text itself).

A builder's factory is called as `factory(options, context_length=…, vocab_size=…, end_of_text=…)`. Builders are map-style
and stateless: example `i` of seed `s` is always the same, so a resumed run, another number of micro-batches or of processes
sees the same examples. Importing this module imports numpy and no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.unsignedinteger[Any]]
"""A text as the builder sees it: (N,), often memory-mapped; an end-of-text id, then every document followed by one."""

IGNORED = -100
"""The target of a position from which nothing is learned (torch's default `ignore_index`)."""

Attention = Literal["causal", "bidirectional"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Examples, side by side.

    Args:
        inputs: (B, T) int64, what the model reads.
        targets: (B, T) int64, what it should say at each position, or `IGNORED`.
        segments: (B, T) int64, the number of the document that each position belongs to, counted from 0 in each row and
            never falling; nothing is attended or carried across a change of it. None when every row is one document.
    """

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    segments: npt.NDArray[np.int64] | None = None


class ExampleBuilder(ABC):
    """Tokens to examples.

    Promises, each checked by the conformance kit:

    - `build` is a pure function of (tokens, indices, seed): any order, any grouping, any process.
    - Each of the first `count` examples of a seed differs from the others, and together they cover the text.
    - What is learned at a position never stands in what the model may attend to from there.
    - The end of a document is learned; nothing is learned or attended across it.
    """

    attention: Attention = "causal"
    """What the model must be able to do: look back only, or both ways."""

    extra_tokens: int = 0
    """How many ids the builder adds behind the tokenizer's own (a mask, sentinels). They are never drawn at generation."""

    context_length: int
    end_of_text: int

    @abstractmethod
    def count(self, tokens: Tokens) -> int:
        """Return how many examples one pass over the text has; 0 when the text is too short for one."""

    @abstractmethod
    def build(self, tokens: Tokens, indices: npt.NDArray[np.int64], seed: int | None) -> Batch:
        """Return the examples with these global indices.

        Args:
            tokens: the training text.
            indices: (B,) from 0 without end; index `count + i` is example `i` of the second pass.
            seed: decides the order and every random choice; None means the order of the text, for looking at examples.
        """

    def objective(self) -> Callable[..., Any] | None:
        """Return the builder's own objective, or None for cross-entropy on the targets.

        An objective is called as `objective(model, inputs, targets, segments)` with tensors and returns the summed loss in
        nats and the number of targets that count, so that core can average over micro-batches and processes.
        """
        return None


def segments_of(inputs: npt.NDArray[np.int64], end_of_text: int) -> npt.NDArray[np.int64] | None:
    """Number the documents in each row: an end-of-text id opens the next document, which is predicted from it.

    Args:
        inputs: (B, T).
        end_of_text: the separating id.

    Returns:
        (B, T) counted from 0 in each row, or None when no row holds two documents.
    """
    opens = inputs[:, 1:] == end_of_text
    if not opens.any():
        return None
    segments = np.zeros(inputs.shape, dtype=np.int64)
    np.cumsum(opens, axis=1, out=segments[:, 1:])
    return segments


def pairs(batch: Batch, end_of_text: int) -> Iterator[tuple[list[int], int]]:
    """Yield what a causal batch teaches as textbooks draw it: the tokens looked back at, and the one learned from them.

    The end-of-text that opens a document is left out of the first: `[1212, 318, 502, 3047] -> 257`.
    """
    segments = np.zeros_like(batch.inputs) if batch.segments is None else batch.segments
    for row, column in np.argwhere(batch.targets != IGNORED):
        start = int(np.searchsorted(segments[row], segments[row, column]))
        start += int(batch.inputs[row, start] == end_of_text)
        yield batch.inputs[row, start : column + 1].tolist(), int(batch.targets[row, column])
