"""The three cells written out, for rows that hold several documents: the state is set to zero where one begins.

torch's own layers (oneDNN, cuDNN) know no such reset. They are used wherever a row is one document; here their parameters
are used in the same formulas. Cutting rows at the boundaries and padding them would need no second formula, but costs
as many padded rows as there are documents.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad.tools import dropout

State = tuple[Tensor, ...]
Step = Callable[[Tensor, State, Tensor, Tensor], State]


def lstm_step(x: Tensor, state: State, weight: Tensor, bias: Tensor) -> State:
    """Return hidden and cell state (B, H) after one token (Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000).

    Args:
        x: (B, 4H), the input's part of the gates: input, forget, candidate, output.
        state: hidden and cell state (B, H).
        weight, bias: (4H, H) and (4H,), from the hidden state to the gates.
    """
    hidden, cell = state
    gates = x + F.linear(hidden, weight, bias)
    enter, keep, candidate, leave = gates.chunk(4, dim=-1)
    cell = keep.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
    return leave.sigmoid() * cell.tanh(), cell


def gru_step(x: Tensor, state: State, weight: Tensor, bias: Tensor) -> State:
    """Return the hidden state (B, H) after one token (Cho et al., 2014, with the reset after the product, as cuDNN has it).

    Args:
        x: (B, 3H), the input's part of the gates: reset, update, candidate.
        state: hidden state (B, H).
        weight, bias: (3H, H) and (3H,), from the hidden state to the gates.
    """
    (hidden,) = state
    recurrent = F.linear(hidden, weight, bias)
    width = hidden.shape[-1]
    reset, update = (x[:, : 2 * width] + recurrent[:, : 2 * width]).sigmoid().chunk(2, dim=-1)
    candidate = torch.addcmul(x[:, 2 * width :], reset, recurrent[:, 2 * width :]).tanh()
    return (torch.lerp(candidate, hidden, update),)


def plain_step(x: Tensor, state: State, weight: Tensor, bias: Tensor) -> State:
    """Return the hidden state (B, H) after one token (Elman, 1990).

    Args:
        x: (B, H), the input's part.
        state: hidden state (B, H).
        weight, bias: (H, H) and (H,), from the hidden state.
    """
    return ((x + F.linear(state[0], weight, bias)).tanh(),)


STEPS: dict[str, tuple[Step, int]] = {"lstm": (lstm_step, 2), "gru": (gru_step, 1), "rnn": (plain_step, 1)}
"""Each cell's step, and how many tensors its state is."""


GATES: dict[str, tuple[tuple[str, int], ...]] = {
    "lstm": (("input", 0), ("forget", 1), ("output", 3)),
    "gru": (("reset", 0), ("update", 1)),
    "rnn": (),
}
"""The gates of each cell, and their places among its rows."""


def look_into(cell: nn.RNNBase, name: str, x: Tensor) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Return for each layer the hidden states (T, H), and its gates (T, H) by name.

    Args:
        cell: holds the parameters, batch first, with biases.
        name: lstm, gru or rnn.
        x: (T, E).
    """
    step, states = STEPS[name]
    hidden, gates = [], []
    for layer in range(cell.num_layers):
        weight_in, weight, bias_in, bias = (
            getattr(cell, f"{part}_l{layer}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        state: State = (x.new_zeros(1, cell.hidden_size),) * states
        before, outputs = [], []
        entering = F.linear(x, weight_in, bias_in)  # (T, gates)
        for part in entering.split(1):
            before.append(part + F.linear(state[0], weight, bias))
            state = step(part, state, weight, bias)
            outputs.append(state[0])
        x = torch.cat(outputs)  # (T, H)
        rows = torch.cat(before).split(cell.hidden_size, dim=-1)
        hidden.append(x)
        gates.append({gate: rows[place].sigmoid() for gate, place in GATES[name]})
    return hidden, gates


def run_with_resets(cell: nn.RNNBase, name: str, x: Tensor, opens: Tensor) -> Tensor:
    """Return the last layer's hidden states (B, T, H).

    Args:
        cell: holds the parameters, batch first, with biases.
        name: lstm, gru or rnn.
        x: (B, T, E).
        opens: (B, T) bool, true where a document begins.
    """
    step, states = STEPS[name]
    carried = (~opens).t()[:, :, None].to(x.dtype)  # (T, B, 1)
    boundaries = opens.any(dim=0).tolist()
    x = x.transpose(0, 1)  # (T, B, E)
    for layer in range(cell.num_layers):
        weight_in, weight, bias_in, bias = (
            getattr(cell, f"{part}_l{layer}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        gates = F.linear(x, weight_in, bias_in)  # (T, B, gates)
        state: State = (x.new_zeros(x.shape[1], cell.hidden_size),) * states
        outputs = []
        for position, gate in enumerate(gates.unbind()):
            if boundaries[position]:
                state = tuple(part * carried[position] for part in state)
            state = step(gate, state, weight, bias)
            outputs.append(state[0])
        x = torch.stack(outputs)  # (T, B, H)
        if layer + 1 < cell.num_layers:
            x = dropout(x, cell.dropout, cell.training)
    return x.transpose(0, 1)
