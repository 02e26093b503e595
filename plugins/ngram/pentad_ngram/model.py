"""An n-gram model: how often each token followed the tokens before it, smoothed by Kneser and Ney's method.

- It has no parameters. A step counts the tokens of its batch, so that one pass over the text is the whole training.
- What was counted are two buffers, the distinct n-grams of the highest order and their counts; the shorter ones follow.
- The tables of probabilities are made of the counts when they are needed. In training they may lag behind by half of what
  was counted, so that the loss of a step does not cost a new table; whatever judges, saves or generates gets the newest.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pentad import IGNORED, Model, Output, UsageError, Vocabulary
from pentad_ngram.counting import contexts, refuse_damaged, summed
from pentad_ngram.options import NgramOptions
from pentad_ngram.state import History
from pentad_ngram.tables import Tables

LAG = 0.5
"""Tokens that a training may go on without new tables, as a share of those that are in them."""

LEAST_LAG = 4096


class Ngram(Model):
    """The counts, and what follows from them. Features are the contexts of positions, logits are log-probabilities.

    Args:
        options: its order and its discount.
        vocab_size: number of ids V.
        context_length: not needed.
        vocabulary: knows the id that opens a document.
    """

    context_length = None
    ngrams: Tensor
    """(K, order) int32, distinct: the nearest token of the context first, the farthest, then the token that followed."""
    counts: Tensor
    """(K,) int64, how often."""

    def __init__(
        self, options: NgramOptions, vocab_size: int, context_length: int | None = None, vocabulary: Vocabulary | None = None
    ) -> None:
        super().__init__()
        del context_length
        self.options = options
        self.vocab_size = vocab_size
        self.end_of_text = vocabulary.end_of_text if vocabulary is not None else None
        self.register_buffer("ngrams", torch.zeros(0, options.order, dtype=torch.int32))
        self.register_buffer("counts", torch.zeros(0, dtype=torch.int64))
        self._new: list[Tensor] = []  # n-grams (N, order) of the latest batches, each as often as it was seen
        self._n_new = 0
        self._tables: tuple[Tensor, int, Tables] | None = None  # the n-grams that the tables are made of, and their version
        self.register_state_dict_pre_hook(_before_saving)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_after_loading)  # type: ignore[no-untyped-call]

    @property
    def width(self) -> int:
        """How many tokens a context has."""
        return max(1, self.options.order - 1)

    def forward(self, inputs: Tensor, state: History | None = None, segments: Tensor | None = None) -> Output:
        """Return the contexts (B, T, order - 1) of inputs (B, T) as features, and the state after them."""
        length = inputs.shape[1]
        if state is not None:
            state.add(inputs)
            inputs = state.last(length + self.width - 1)
        found = contexts(inputs, self.width, self.end_of_text, self.vocab_size, segments)
        return Output(found[:, -length:], state)

    def logits(self, features: Tensor) -> Tensor:
        """Return log-probabilities (…, V) of what follows contexts (…, order - 1)."""
        rows = features.reshape(-1, self.width)
        return self.tables().probabilities(rows).log_().view(*features.shape[:-1], self.vocab_size)

    def initial_state(self, batch_size: int, max_length: int) -> History:
        """Return that nothing was read."""
        return History(torch.zeros(batch_size, max_length, dtype=torch.int64, device=self.ngrams.device))

    def learn_by_counting(self, inputs: Tensor, targets: Tensor, segments: Tensor | None) -> None:
        """Count what follows each context, where it is learned.

        Raises:
            UsageError: several processes share the training, each of which would count its part alone.
        """
        if torch.distributed.is_available() and torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
            raise UsageError(
                f"The model ngram is counted by one process; found {torch.distributed.get_world_size()}.",
                "Start engine run without torchrun: counting takes seconds.",
                code="ngram-processes",
            )
        learned = targets != IGNORED
        found = contexts(inputs, self.width, self.end_of_text, self.vocab_size, segments)[learned]
        rows = torch.cat([found[:, : self.options.order - 1], targets[learned][:, None]], dim=1)
        self._new.append(rows.to(torch.int32))
        self._n_new += len(rows)

    def tables(self) -> Tables:
        """Return the probabilities of what was counted; in training perhaps without the latest batches."""
        current = self._tables is not None and self._tables[0] is self.ngrams and self._tables[1] == self.ngrams._version
        if self._n_new and not (self.training and current and self._n_new < max(LEAST_LAG, LAG * len(self.ngrams))):
            self.count()
            current = False
        if self._tables is None or not current:
            with torch.inference_mode(False):
                made = Tables(self.ngrams, self.counts, self.vocab_size, self.options.discount)
            self._tables = (self.ngrams, self.ngrams._version, made)
        return self._tables[2]

    @torch.no_grad()
    def count(self) -> None:
        """Bring the latest batches into the buffers."""
        if not self._n_new:
            return
        with torch.inference_mode(False):  # buffers of inference mode could never be changed again
            new = torch.cat([rows.clone() for rows in self._new])
            rows = torch.cat([self.ngrams, new])
            counts = torch.cat([self.counts, self.counts.new_ones(len(new))])
            self.ngrams, self.counts = summed(rows, counts, self.vocab_size + 2)
        self._new, self._n_new = [], 0


def _before_saving(model: Any, *_: Any) -> None:
    model.count()


def _after_loading(model: Ngram, _: object) -> None:
    refuse_damaged(model.ngrams, model.counts, model.options.order, model.vocab_size)
