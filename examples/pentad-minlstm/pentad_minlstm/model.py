"""minLSTM: Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, Were RNNs All We Needed?, 2024.

- Gates and candidate look at the input alone: f = sigmoid(U x), i = sigmoid(W x), as shares of their sum,
  h[t] = (f[t] h[t-1] + i[t] g(V x[t])) / (f[t] + i[t]).
- Blocks of norm, recurrence, norm and perceptron, each added to its input, as in a transformer.
- State: one vector a layer; a token costs the same wherever it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pentad import Model, Output
from pentad_minlstm.options import MinLSTMOptions
from pentad_minlstm.scan import scan


def positive(x: Tensor) -> Tensor:
    """Return x + 0.5 above zero and sigmoid(x) below: the paper's g, positive and smooth enough at zero."""
    return torch.where(x >= 0, x + 0.5, x.sigmoid())


class Recurrence(nn.Module):
    """One layer of minLSTM, wider inside than outside.

    Args:
        width: D of inputs and outputs.
        state_width: H of the state.
    """

    def __init__(self, width: int, state_width: int) -> None:
        super().__init__()
        self.gates_and_candidate = nn.Linear(width, 3 * state_width)
        self.output = nn.Linear(state_width, width, bias=False)

    def forward(self, x: Tensor, before: Tensor, opens: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return outputs (B, T, D) and the state (B, H) after the last token.

        Args:
            x: (B, T, D).
            before: (B, H), the state before the first token.
            opens: (B, T), where a document starts and the state is forgotten; None for nowhere.
        """
        forget, take, candidate = self.gates_and_candidate(x).float().chunk(3, dim=-1)  # (B, T, H) each, in fp32: sums are long
        odds = F.logsigmoid(forget) - F.logsigmoid(take)
        kept, added = odds.sigmoid(), torch.sigmoid(-odds) * positive(candidate)  # f / (f + i), and i / (f + i) of it
        if opens is not None:
            kept = kept.masked_fill(opens[..., None], 0.0)
        first = added[:, :1] + kept[:, :1] * before[:, None]
        states = scan(kept, torch.cat([first, added[:, 1:]], dim=1))  # (B, T, H)
        out: Tensor = self.output(states.to(x.dtype))
        return out, states[:, -1]


class Block(nn.Module):
    """A recurrence and a perceptron, each behind a norm and added to its input."""

    def __init__(self, options: MinLSTMOptions) -> None:
        super().__init__()
        width, hidden = options.n_embd, max(1, round(options.mlp_ratio * options.n_embd))
        self.norms = nn.ModuleList(nn.RMSNorm(width) for _ in range(2))
        self.recurrence = Recurrence(width, state_width(options))
        self.perceptron = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width, bias=False))
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, x: Tensor, before: Tensor, opens: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return outputs (B, T, D) and the state (B, H) after the last token."""
        change, after = self.recurrence(self.norms[0](x), before, opens)
        x = x + self.dropout(change)
        return x + self.dropout(self.perceptron(self.norms[1](x))), after


def state_width(options: MinLSTMOptions) -> int:
    """Return the width H of a layer's state."""
    return max(1, round(options.expansion * options.n_embd))


class MinLSTM(Model):
    """The network; its state has a fixed size, so rows have no bound.

    Args:
        options: its shape.
        vocab_size: number of ids.
        context_length: not needed.
    """

    context_length = None

    def __init__(self, options: MinLSTMOptions, vocab_size: int, context_length: int | None = None) -> None:
        super().__init__()
        del context_length
        self.options = options
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, options.n_embd)
        self.layers = nn.ModuleList(Block(options) for _ in range(options.n_layer))
        self.norm = nn.RMSNorm(options.n_embd)
        self.head = nn.Linear(options.n_embd, vocab_size, bias=False)
        nn.init.normal_(self.embedding.weight, std=options.n_embd**-0.5)

    def forward(self, inputs: Tensor, state: Any = None, segments: Tensor | None = None) -> Output:
        """Return features (B, T, D) of inputs (B, T), and the state after them."""
        x = self.embedding(inputs)
        opens = None if segments is None else F.pad(segments[:, 1:] != segments[:, :-1], (1, 0), value=True)  # (B, T)
        before = self.initial_state(len(inputs), inputs.shape[1]) if state is None else state
        after = []
        for block, layer_state in zip(self.layers, before, strict=True):
            x, layer_state = block(x, layer_state, opens)
            after.append(layer_state)
        return Output(self.norm(x), None if state is None else after)

    def blocks(self) -> Sequence[nn.Module]:
        """Return the blocks."""
        return tuple(self.layers)

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (…, V) of features (…, D)."""
        logits: Tensor = self.head(features)
        return logits

    def initial_state(self, batch_size: int, max_length: int) -> Any:
        """Return zeros (B, H), one a layer."""
        del max_length
        zeros = torch.zeros(batch_size, state_width(self.options), device=self.embedding.weight.device)
        return [zeros.clone() for _ in self.layers]
