"""A recurrent language model: embedding, recurrent layers, a head; the layers are torch's own.

As a language model: Mikolov et al., Recurrent neural network based language model, 2010; of characters: Sutskever, Martens and
Hinton, Generating Text with Recurrent Neural Networks, 2011. Plain cell: Elman, Finding Structure in Time, 1990. LSTM:
Hochreiter and Schmidhuber, Long Short-Term Memory, 1997, with the forget gate of Gers et al., 2000. GRU: Cho et al., Learning
Phrase Representations using RNN Encoder-Decoder, 2014. Dropout between layers: Zaremba et al., 2014.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad import Inspection, Model, Output, Vocabulary
from pentad.tools import dropout
from pentad_ngram.counted import beside_counts
from pentad_rnn.options import RNNOptions
from pentad_rnn.recurrence import look_into, run_with_resets


@dataclass(frozen=True, eq=False)
class RNNState:
    """What is carried on: one tensor (layers, B, H), two for the LSTM. It cannot go back, so it does not offer `truncate`."""

    tensors: tuple[Tensor, ...]

    @classmethod
    def of(cls, after: Tensor | tuple[Tensor, ...]) -> RNNState:
        """Make it of what torch's cells return."""
        return cls(after if isinstance(after, tuple) else (after,))

    def parts(self) -> Any:
        """Return it as torch's cells take it."""
        return self.tensors if len(self.tensors) > 1 else self.tensors[0]

    def select(self, rows: Tensor) -> RNNState:
        """Return the state of these rows (R,)."""
        return RNNState(tuple(tensor.index_select(1, rows) for tensor in self.tensors))


CELLS: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class RNN(Model):
    """The recurrent network; its state has a fixed size, so rows have no bound.

    Args:
        options: its shape.
        vocab_size: number of ids.
        context_length: not needed.
    """

    context_length = None

    def __init__(self, options: RNNOptions, vocab_size: int, context_length: int | None = None) -> None:
        super().__init__()
        del context_length
        self.options = options
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, options.n_embd)
        dropout = options.dropout if options.n_layer > 1 else 0.0
        self.cell = CELLS[options.cell](options.n_embd, options.hidden, options.n_layer, batch_first=True, dropout=dropout)
        self.head = None if options.tie_embeddings else nn.Linear(options.hidden, vocab_size, bias=False)

    def forward(self, inputs: Tensor, state: RNNState | None = None, segments: Tensor | None = None) -> Output:
        """Return features (B, T, D) of inputs (B, T), and the state after them."""
        x = dropout(self.embedding(inputs), self.options.dropout, self.training)
        features, after = self._run(x, None if state is None else state.parts(), segments)
        features = dropout(features, self.options.dropout, self.training)
        return Output(features, None if state is None else RNNState.of(after))

    def _run(self, x: Tensor, state: Any, segments: Tensor | None) -> tuple[Tensor, Any]:
        """Run the cell; in fp32 on a CPU, where oneDNN has bf16 cells for few processors only."""
        with torch.autocast(x.device.type, enabled=False) if x.is_cpu else nullcontext():
            if segments is None:
                return self.cell(x, state)  # type: ignore[no-any-return]
            opens = F.pad(segments[:, 1:] != segments[:, :-1], (1, 0))  # (B, T)
            return run_with_resets(self.cell, self.options.cell, x, opens), None

    def inspect(self, inputs: Tensor) -> Inspection:
        """Return the gates of each layer, and the hidden states of each layer as the head reads them."""
        hidden, gates = look_into(self.cell, self.options.cell, self.embedding(inputs))
        return Inspection(
            streams={f"layer {number}": states for number, states in enumerate(hidden, 1)},
            gates={f"layer {number}, {name}": gate for number, layer in enumerate(gates, 1) for name, gate in layer.items()},
        )

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (…, V) of features (…, D)."""
        return F.linear(features, self.embedding.weight if self.head is None else self.head.weight)

    def initial_state(self, batch_size: int, max_length: int) -> RNNState:
        """Return zeros."""
        del max_length
        zeros = self.embedding.weight.new_zeros(self.options.n_layer, batch_size, self.options.hidden)
        return RNNState((zeros, zeros.clone()) if self.options.cell == "lstm" else (zeros,))


def make(
    options: RNNOptions, vocab_size: int, context_length: int | None = None, vocabulary: Vocabulary | None = None
) -> Model:
    """Return the network, beside counts of n-grams where the options have them."""
    rnn = RNN(options, vocab_size, context_length)
    return beside_counts(rnn, options.ngram_order, options.ngram_weight, vocabulary)
