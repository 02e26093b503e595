"""What a transformer keeps of the tokens that it has read: the keys and values of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class SingleToken(Protocol):
    """The blocks as arranged for one token a row."""

    def __call__(self, x: Tensor, ids: Tensor, start: int, caches: Sequence[LayerCache]) -> Tensor:
        """Return x (B, D) of ids (B,) after the blocks."""


@dataclass(eq=False)
class LayerCache:
    """Keys and values of one layer, preallocated at the first call in whatever dtype the keys then have."""

    max_length: int
    keys: Tensor | None = None
    values: Tensor | None = None

    def extend(self, start: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store keys and values (B, H, T, Dh) from position `start`; return those of all positions so far."""
        batch, heads, length, width = keys.shape
        if self.keys is None or self.values is None:
            self.keys = keys.new_empty(batch, heads, self.max_length, width)
            self.values = keys.new_empty(batch, heads, self.max_length, width)
        self.keys.narrow(2, start, length).copy_(keys)
        self.values.narrow(2, start, length).copy_(values)
        return self.keys.narrow(2, 0, start + length), self.values.narrow(2, 0, start + length)

    def select(self, rows: Tensor) -> None:
        """Keep these rows (R,), in this order."""
        self.keys = None if self.keys is None else self.keys.index_select(0, rows)
        self.values = None if self.values is None else self.values.index_select(0, rows)


@dataclass(eq=False)
class Cache:
    """The state of a transformer.

    Args:
        max_length: the most tokens that it takes.
        layers: every layer's keys and values.
        length: how many tokens they are of.
        decoder: the blocks as arranged for one token a row, from the first such call on.
        ids: (B, max_length) the tokens themselves, where a token is known by those before it too; else None.
    """

    max_length: int
    layers: list[LayerCache]
    length: int = 0
    decoder: SingleToken | None = None
    ids: Tensor | None = None

    def newest(self, most: int) -> Tensor | None:
        """Return the newest ids of each row (B, N), at most so many; None where there are none."""
        count = min(most, self.length)
        return None if self.ids is None or not count else self.ids.narrow(1, self.length - count, count)

    def read(self, inputs: Tensor) -> None:
        """Count the tokens of inputs (B, T) as read."""
        if self.ids is not None:
            self.ids.narrow(1, self.length, inputs.shape[1]).copy_(inputs)
        self.length += inputs.shape[1]

    def select(self, rows: Tensor) -> Cache:
        """Return the state of these rows (R,); a row may come twice."""
        for layer in self.layers:
            layer.select(rows)
        self.ids = None if self.ids is None else self.ids.index_select(0, rows)
        return self

    def truncate(self, length: int) -> Cache:
        """Return the state after the first `length` tokens; what stands behind them is written over."""
        self.length = min(self.length, length)
        return self
