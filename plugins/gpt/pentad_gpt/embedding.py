"""What a token is known by beside its own embedding: the token before it, and where it stands."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FACTORS = (36_313, 27_191)
"""Of the token and the one before it in the hash; modded-nanogpt's."""

NOTHING = -1
"""In place of the id before the first token."""


class BigramHash(nn.Module):
    """An embedding of each pair of a token and the one before it, in a table that pairs of the same hash share.

    modded-nanogpt's bigram hash embedding (2026), after the hashed n-grams of fastText (Joulin et al., 2016). It starts at
    zero. A token that nothing stands before has none: the first of a row, and of a document where there are segments.

    Args:
        rows: of the table.
        width: D.
    """

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, width)

    def forward(self, inputs: Tensor, before: Tensor | None, segments: Tensor | None) -> Tensor:
        """Return embeddings (B, T, D) of the pairs.

        Args:
            inputs: (B, T) ids.
            before: (B, 1) the ids before the first ones, or None where there are none.
            segments: (B, T) document numbers, or None.
        """
        before = inputs.new_full((len(inputs), 1), NOTHING) if before is None else before
        previous = torch.cat((before, inputs[:, :-1]), dim=1)  # (B, T)
        if segments is not None:
            previous = previous.masked_fill(document_starts(segments), NOTHING)
        pairs: Tensor = self.table(hashed(previous, inputs, self.table.num_embeddings))
        return pairs.masked_fill((previous == NOTHING)[..., None], 0.0)


def hashed(previous: Tensor, ids: Tensor, rows: int) -> Tensor:
    """Return the row (…) of each pair of ids (…): (36313 id xor 27191 previous) mod rows."""
    return ((ids * FACTORS[0]) ^ (previous * FACTORS[1])) % rows


def document_starts(segments: Tensor) -> Tensor:
    """Return which positions (B, T) begin a document within the row; the first of a row is none of them."""
    return F.pad(segments[:, 1:] != segments[:, :-1], (1, 0))


def positions_of(length: int, start: int, segments: Tensor | None, device: torch.device) -> Tensor:
    """Return positions (T,), or (B, T) counted from 0 in each document, as a document will stand when generated."""
    positions = torch.arange(start, start + length, device=device)
    if segments is None:
        return positions
    return positions - (positions * document_starts(segments)).cummax(dim=1).values
