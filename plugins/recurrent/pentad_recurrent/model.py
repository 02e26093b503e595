"""Models of blocks that carry a memory of fixed size: a token costs the same wherever it stands, and rows have no bound.

All but the mixing of tokens is as in gpt with squared ReLU: normalised embeddings, RMSNorm without gain before each part,
output matrices that start at zero, bounded logits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad import Model, Output, Role, Vocabulary
from pentad.tools import dropout
from pentad_ngram.counted import beside_counts
from pentad_recurrent.mingru import MinGRUMixer
from pentad_recurrent.mixers import DeltaMixer, LinearMixer, Mixer, RetentionMixer, Row, State
from pentad_recurrent.options import RecurrentOptions


@dataclass(frozen=True, eq=False)
class Memories:
    """The state of a model: each block's. It cannot go back, so it does not offer `truncate`.

    Args:
        blocks: one for each.
        length: how many tokens it is of.
    """

    blocks: tuple[State, ...]
    length: int = 0

    def select(self, rows: Tensor) -> Memories:
        """Return the state of these rows (R,)."""
        return Memories(tuple(tuple(part.index_select(0, rows) for part in block) for block in self.blocks), self.length)


class Block(nn.Module):
    """A mixer, then an MLP, each added to what comes in."""

    def __init__(self, options: RecurrentOptions, mixer: Mixer) -> None:
        super().__init__()
        self.mixer = mixer
        self.up = nn.Linear(options.n_embd, options.hidden, bias=False)
        self.down = nn.Linear(options.hidden, options.n_embd, bias=False)
        self.dropout = options.dropout

    def forward(self, x: Tensor, row: Row, state: State) -> tuple[Tensor, State]:
        """Return x (B, T, D) after this block, and its state."""
        mixed, state = self.mixer(normed(x), row, state)
        x = x + dropout(mixed, self.dropout, self.training)
        made = self.down(F.relu(self.up(normed(x))).square())
        return x + dropout(made, self.dropout, self.training), state


class Recurrent(Model):
    """The network around the mixers.

    Args:
        options: its shape.
        vocab_size: number of ids.
        context_length: not needed.
    """

    context_length = None
    mixer: ClassVar[type[Mixer]]

    def __init__(self, options: RecurrentOptions, vocab_size: int, context_length: int | None = None) -> None:
        super().__init__()
        del context_length
        self.options = options
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, options.n_embd)
        self.layers = nn.ModuleList(Block(options, self.mixer(options)) for _ in range(options.n_layer))
        self.head = nn.Linear(options.n_embd, vocab_size, bias=False)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """Draw matrices with deviation 1/sqrt(inputs) (LeCun et al., 1998), embedding and head 0.02; outputs start at zero."""
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                continue
            std = 0.02 if name in ("embedding.weight", "head.weight") else 1 / math.sqrt(parameter.shape[1])
            if name.endswith((".output.weight", ".down.weight")):
                parameter.zero_()
            else:
                parameter.normal_(0.0, std)

    def forward(self, inputs: Tensor, state: Memories | None = None, segments: Tensor | None = None) -> Output:
        """Return features (B, T, D) of inputs (B, T), and the state after them."""
        x = dropout(normed(self.embedding(inputs)), self.options.dropout, self.training)
        before = self.initial_state(len(inputs), inputs.shape[1]) if state is None else state
        opens = None if segments is None else F.pad(segments[:, 1:] != segments[:, :-1], (1, 0))  # (B, T)
        row, after = Row(before.length, segments, opens), []
        for block, memory in zip(self.layers, before.blocks, strict=True):
            x, memory = block(x, row, memory)
            after.append(memory)
        return Output(normed(x), None if state is None else Memories(tuple(after), before.length + inputs.shape[1]))

    def blocks(self) -> Sequence[nn.Module]:
        """Return the blocks."""
        return tuple(self.layers)

    def roles(self) -> dict[str, Role]:
        """Return the usual roles; convolutions, and what makes one number a head, are "vector"."""
        few = (".convolution.weight", ".write.weight", ".decay.weight")
        return {name: "vector" if name.endswith(few) else role for name, role in super().roles().items()}

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (…, V) of features (…, D)."""
        logits: Tensor = self.head(features)
        cap = self.options.logit_softcap
        return cap * torch.tanh(logits.float() / cap) if cap else logits

    def initial_state(self, batch_size: int, max_length: int) -> Memories:
        """Return empty memories."""
        del max_length
        return Memories(tuple(cast(Block, block).mixer.empty(batch_size) for block in self.layers))


class GatedDeltaNet(Recurrent):
    """Gated DeltaNet (Yang et al., 2024)."""

    mixer = DeltaMixer


class RetNet(Recurrent):
    """RetNet (Sun et al., 2023)."""

    mixer = RetentionMixer


class LinearAttention(Recurrent):
    """Linear attention (Katharopoulos et al., 2020)."""

    mixer = LinearMixer


class MinGRU(Recurrent):
    """minGRU (Feng et al., 2024)."""

    mixer = MinGRUMixer


def normed(x: Tensor) -> Tensor:
    """Scale the last dimension to a root mean square of 1 (Zhang and Sennrich, 2019)."""
    return F.rms_norm(x, (x.shape[-1],), eps=1e-6)


def make(
    kind: type[Recurrent],
    options: RecurrentOptions,
    vocab_size: int,
    context_length: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> Model:
    """Return a model of a kind, beside counts of n-grams where the options have them."""
    model = kind(options, vocab_size, context_length)
    return beside_counts(model, options.ngram_order, options.ngram_weight, vocabulary)


gated_deltanet = partial(make, GatedDeltaNet)
retnet = partial(make, RetNet)
linear_attention = partial(make, LinearAttention)
mingru = partial(make, MinGRU)
