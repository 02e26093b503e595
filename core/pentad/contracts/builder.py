"""The example-builder contract: tokens to what is learned from them (self-supervision by masking the text itself).

A builder's factory is called as `factory(options, context_length=…, vocab_size=…, end_of_text=…)`. Builders are map-style
and stateless: example `i` of seed `s` is always the same, so a resumed run, another number of micro-batches or of processes
sees the same examples. Importing this module imports numpy and no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from pentad.contracts.batch import Attention, Batch, Tokens


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
