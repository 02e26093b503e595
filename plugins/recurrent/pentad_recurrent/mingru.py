"""minGRU: Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, Were RNNs All We Needed?, 2024.

A GRU whose gate and candidate look at the input alone, so that its states are a scan over what the inputs say:

    z = sigmoid(W x),  c = g(V x),  h[t] = (1 - z[t]) h[t - 1] + z[t] c[t]

with g(x) = x + 0.5 from 0 on and sigmoid(x) below, which keeps states positive. The paper scans sums of logarithms, and needs
that for it. Here the states themselves are scanned: the same numbers, and a document's first token can forget exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pentad_recurrent.convolution import ShortConvolution
from pentad_recurrent.mixers import Mixer, Row, State
from pentad_recurrent.options import MinGRUOptions
from pentad_recurrent.scan import scan


class MinGRUMixer(Mixer):
    """A short convolution, as before the paper's recurrences, and minGRU; what it carries on is one vector (B, S)."""

    def __init__(self, options: MinGRUOptions) -> None:
        super().__init__(options)
        width, state = options.n_embd, options.state_width
        self.convolution = ShortConvolution(width, options.conv_size) if options.conv_size > 1 else None
        self.gate = nn.Linear(width, state)
        self.candidate = nn.Linear(width, state)
        self.output = nn.Linear(state, width, bias=False)

    def empty(self, batch_size: int) -> State:
        """Return a state of zeros, and no tokens before the convolution."""
        state = self.gate.weight.new_zeros(batch_size, self.gate.out_features)
        return (state,) if self.convolution is None else (state, self.convolution.empty(batch_size))

    def forward(self, x: Tensor, row: Row, state: State) -> tuple[Tensor, State]:
        """Return x (B, T, D), mixed over tokens, and the state after the last."""
        before, *inputs = state
        if self.convolution is not None:
            x, *inputs = self.convolution(x, inputs[0], row.segments)
        gate, candidate = self.gate(x).float(), self.candidate(x).float()  # (B, T, S), in fp32: the sums are long
        kept, added = torch.sigmoid(-gate), gate.sigmoid() * positive(candidate)
        if row.opens is not None:
            kept = kept.masked_fill(row.opens[..., None], 0.0)
        states = scan(kept, added, before.float())  # (B, T, S)
        out: Tensor = self.output(states.to(x.dtype))
        return out, (states[:, -1], *inputs)


def positive(x: Tensor) -> Tensor:
    """Return the paper's g: x + 0.5 from 0 on, sigmoid(x) below."""
    return x.relu() + x.clamp(max=0).sigmoid()
