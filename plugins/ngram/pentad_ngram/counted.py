"""A model that learns what counting does not know: its logits are added to the log-probabilities that counts give.

    logits = model(text) + weight * log p(next token | the order - 1 tokens before it)

Li et al., Residual Learning of Neural Text Generation with n-gram Language Model, 2022, where the weight is 1. p is counted on
the training text before the first step, and smoothed by Kneser and Ney's method (see `tables`). In training each place is
judged by the counts of the rest of the text, itself left out: otherwise counts know every next token, and the model learns to
lean on what new text does not have. Other places of the same document still count, so a weight below 1 is better.

Any causal model can be made so:

    Counted(model, order=4, weight=0.5, vocabulary=vocabulary)
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from pentad import Inspection, Model, Output, Role, Tokens, Vocabulary
from pentad_ngram.counting import UNKNOWN, contexts, refuse_damaged, summed
from pentad_ngram.state import History
from pentad_ngram.tables import Tables

MOST_TOKENS = 1_000_000
"""Tokens of a text that are counted, the first ones: more would make every checkpoint large. What stands behind them is left
out too when it is judged, though it was never counted: there counts are believed a little less than they deserve."""

LEAST_PROBABILITY = 1e-9
"""What rounding could make less than nothing is this much."""

INNER = "model."

_counted: weakref.WeakKeyDictionary[Tokens, dict[tuple[int, int], tuple[Tensor, Tensor, Tables]]] = weakref.WeakKeyDictionary()
"""What was counted of texts that are still in use: a plan may make several models for one text, and times steps of them, of
which making tables is no part."""


@dataclass(eq=False)
class CountedState:
    """The state of the inner model, and the tokens that were read. It can do what the inner one can."""

    inner: Any
    history: History

    def __getattr__(self, name: str) -> Callable[[Any], CountedState]:
        """Return `select` or `truncate` where the inner state has it."""
        if name not in ("select", "truncate"):
            raise AttributeError(name)
        of_inner, of_history = getattr(self.inner, name), getattr(self.history, name)
        return lambda which: CountedState(of_inner(which), of_history(which))


class Counted(Model):
    """A causal model beside the counts of its training text; until it has studied one, the model alone.

    Features are those of the model, and behind them the context as ids, nearest first, and the id that is left out, or -1.

    Args:
        model: any.
        order: tokens of the n-grams.
        weight: of the log-probabilities.
        vocabulary: which ids are the tokenizer's, and which one opens a document; None where all are and none does.
    """

    ngrams: Tensor
    """(K, order) int32, distinct: the nearest token of the context first, the farthest, then what followed. Only the
    tokenizer's ids are counted, so that they stay where a run that starts from this one has other special tokens."""
    counts: Tensor
    """(K,) int32, how often."""

    def __init__(self, model: Model, *, order: int, weight: float, vocabulary: Vocabulary | None = None) -> None:
        super().__init__()
        self.model = model
        self.order, self.weight = order, weight
        self.end_of_text = None if vocabulary is None else vocabulary.end_of_text
        self.n_ids = model.vocab_size if vocabulary is None else vocabulary.tokenizer_size
        self.attention, self.context_length, self.vocab_size = model.attention, model.context_length, model.vocab_size
        self.register_buffer("ngrams", torch.zeros(0, order, dtype=torch.int32))
        self.register_buffer("counts", torch.zeros(0, dtype=torch.int32))
        self._leaves_out = False
        self._tables: tuple[Tensor, Tables] | None = None  # the n-grams that the tables are made of, and these
        self.register_load_state_dict_post_hook(_after_loading)  # type: ignore[no-untyped-call]

    @property
    def causal(self) -> bool:
        """Whether a position sees only what stands before it, as the model has it."""
        return self.model.causal

    @causal.setter
    def causal(self, causal: bool) -> None:
        self.model.causal = causal

    @torch.no_grad()
    def study(self, tokens: Tokens) -> None:
        """Count the n-grams of a text, which from now on is the one that is trained on."""
        of_text = _counted.setdefault(tokens, {})
        if (self.order, self.n_ids) not in of_text:
            ids = torch.from_numpy(tokens.ids[:MOST_TOKENS].astype("int64"))
            rows = torch.cat([self._contexts(ids[None, :-1], None)[0], ids[1:, None]], dim=1)  # (N, order)
            rows, counts = summed(rows, torch.ones_like(rows[:, 0]), self.n_ids + 2)
            of_text[self.order, self.n_ids] = rows.int(), counts.int(), Tables(rows, counts, self.n_ids, None)
        rows, counts, tables = of_text[self.order, self.n_ids]
        device = self.ngrams.device
        self.ngrams, self.counts = rows.to(device), counts.to(device)
        self._tables = (self.ngrams, tables) if device.type == "cpu" else None
        self._leaves_out = True

    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        """Return features (B, T, D + order) of inputs (B, T), and the state after them."""
        if not self.has_counted:
            return self.model(inputs, state, segments)  # type: ignore[no-any-return]
        output = self.model(inputs, None if state is None else state.inner, segments)
        read = inputs
        if state is not None:
            state.history.add(inputs)
            state.inner, read = output.state, state.history.last(inputs.shape[1] + self.order - 1)
        return Output(self._with_contexts(output.features, read, segments), state, output.losses)

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (…, V) of features (…, D + order)."""
        if not self.has_counted:
            return self.model.logits(features)
        own, ids = features[..., : -self.order], features[..., -self.order :].detach().long()
        logits = self.model.logits(own)
        with torch.no_grad():
            rows = ids.reshape(-1, self.order)
            left_out = rows[:, -1].where(rows[:, -1] < self.n_ids, UNKNOWN) if self.training else None
            known = self.tables().probabilities(rows[:, :-1], left_out).clamp_min_(LEAST_PROBABILITY).log_()
            if self.vocab_size > self.n_ids:  # of special tokens counts know nothing
                known = F.pad(known, (0, self.vocab_size - self.n_ids), value=-math.log(self.vocab_size))
        return torch.add(logits.float(), known.view(logits.shape), alpha=self.weight)

    def ahead(self, features: Tensor) -> Sequence[Tensor]:
        """Return features for each further token; of their contexts nothing is known."""
        if not self.has_counted:
            return super().ahead(features)
        unknown = features.new_full((*features.shape[:-1], self.order), UNKNOWN)
        return [torch.cat([own.float(), unknown], dim=-1) for own in super().ahead(features[..., : -self.order])]

    def tables(self) -> Tables:
        """Return the probabilities of what was counted."""
        if self._tables is None or self._tables[0] is not self.ngrams:
            with torch.inference_mode(False):
                self._tables = self.ngrams, Tables(self.ngrams, self.counts.long(), self.n_ids, None)
        return self._tables[1]

    def inspect(self, inputs: Tensor) -> Inspection:
        """Return what the model shows; its streams, as they are read by the head, are beside the same counts."""
        found = self.model.inspect(inputs)
        if not self.has_counted:
            return found
        streams = {name: self._with_contexts(stream[None], inputs[None], None)[0] for name, stream in found.streams.items()}
        return Inspection(attention=found.attention, streams=streams, gates=found.gates)

    def initial_state(self, batch_size: int, max_length: int) -> Any:
        """Return that nothing was read."""
        inner = self.model.initial_state(batch_size, max_length)
        if not self.has_counted:
            return inner
        return CountedState(inner, History(torch.zeros(batch_size, max_length, dtype=torch.int64, device=self.ngrams.device)))

    def blocks(self) -> Sequence[torch.nn.Module]:
        """Return the model's."""
        return self.model.blocks()

    def kernels(self) -> Mapping[str, Sequence[str]]:
        """Return the model's."""
        return self.model.kernels()

    def use_kernels(self, chosen: Mapping[str, str]) -> None:
        """Let the model use them."""
        self.model.use_kernels(chosen)

    def generation_weights(self) -> Sequence[str]:
        """Return the model's."""
        return self.model.generation_weights()

    def use_generation_weights(self, name: str | None) -> None:
        """Let the model use them."""
        self.model.use_generation_weights(name)

    def upgrade_state(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Let the model upgrade its own."""
        inner = {name.removeprefix(INNER): tensor for name, tensor in tensors.items() if name.startswith(INNER)}
        others = {name: tensor for name, tensor in tensors.items() if not name.startswith(INNER)}
        return {**others, **{INNER + name: tensor for name, tensor in self.model.upgrade_state(inner).items()}}

    def token_parameters(self) -> frozenset[str]:
        """Return the model's."""
        return frozenset(INNER + name for name in self.model.token_parameters())

    def roles(self) -> dict[str, Role]:
        """Return the model's; heads for further tokens have the usual ones."""
        own = {name: role for name, role in super().roles().items() if not name.startswith(INNER)}
        return {**{INNER + name: role for name, role in self.model.roles().items()}, **own}

    @property
    def has_counted(self) -> bool:
        """Whether anything was."""
        return len(self.ngrams) > 0

    def _with_contexts(self, features: Tensor, read: Tensor, segments: Tensor | None) -> Tensor:
        """Put behind features (B, T, D) the contexts and what is left out, of ids (B, T or more) that were read."""
        found = self._contexts(read, segments)[:, -features.shape[1] :]  # (B, T, order - 1)
        left_out = read.new_full((*features.shape[:2], 1), UNKNOWN)
        if self.training and self._leaves_out:
            left_out[:, :-1, 0] = read[:, 1:]
            found[:, -1] = UNKNOWN  # what comes next stands in no row, and cannot be left out
        return torch.cat([features.float(), found.float(), left_out.float()], dim=-1)

    def _contexts(self, read: Tensor, segments: Tensor | None) -> Tensor:
        """Return up to each position of ids (B, T) what the next one is counted by (B, T, order - 1); special tokens end it."""
        text = read.masked_fill(read >= self.n_ids, UNKNOWN)
        return contexts(text, max(1, self.order - 1), self.end_of_text, self.n_ids, segments)[..., : self.order - 1]


def _after_loading(model: Counted, _: object) -> None:
    refuse_damaged(model.ngrams, model.counts, model.order, model.n_ids)
    model._tables = None


def beside_counts(model: Model, order: int, weight: float, vocabulary: Vocabulary | None) -> Model:
    """Return a model beside counts of n-grams of `order` tokens; of 0 the model itself. Otherwise as `Counted`."""
    return Counted(model, order=order, weight=weight, vocabulary=vocabulary) if order else model
