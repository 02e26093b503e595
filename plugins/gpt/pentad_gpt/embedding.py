"""What a token is known by beside its own embedding: the tokens before it, and where it stands."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FACTORS = (36_313, 27_191, 51_749)
"""Of the token and those before it in the hash; the first two are modded-nanogpt's."""

NOTHING = -1
"""In place of an id before the first token."""


class PreviousTokens(nn.Module):
    """Adds to the embedding of each token those of the tokens before it, each feature by a learned factor.

    So the first block already sees which words a token is a part of, without attention. This is the smear of modded-nanogpt
    (2025), for more than one token and with a factor for each feature instead of a gate: a short convolution, as Canon layers
    (Allen-Zhu, Physics of Language Models 4.1, 2025) have in each block. The factors start at zero. Nothing comes from another
    row or document.

    Args:
        reach: how many tokens before.
        width: D.
    """

    def __init__(self, reach: int, width: int) -> None:
        super().__init__()
        self.reach = reach
        self.factors = nn.Parameter(torch.zeros(reach, width))

    def forward(self, embedded: Tensor, before: Tensor | None, segments: Tensor | None) -> Tensor:
        """Return embeddings (B, T, D).

        Args:
            embedded: (B, T, D) the embeddings of the tokens.
            before: (B, N, D) those of the newest tokens before the first ones, at most `reach`; None where there are none.
            segments: (B, T) document numbers, or None.
        """
        known, length = 0 if before is None else before.shape[1], embedded.shape[1]
        row = embedded if before is None else torch.cat((before, embedded), dim=1)
        row = F.pad(row, (0, 0, self.reach - known, 0))  # (B, reach + T, D)
        mixed = embedded
        for lag, factor in enumerate(self.factors.unbind(), 1):
            earlier = row[:, self.reach - lag : self.reach - lag + length]
            if segments is not None:
                earlier = earlier.masked_fill(document_starts(segments, lag)[..., None], 0.0)
            mixed = torch.addcmul(mixed, earlier, factor)
        return mixed


class NgramHash(nn.Module):
    """An embedding of each n-gram, a token and those before it, in a table that n-grams of the same hash share.

    modded-nanogpt's bigram hash embedding (2026) and, for trigrams, Engram's (Cheng et al., Conditional Memory via Scalable
    Lookup, 2026), after the hashed n-grams of fastText (Joulin et al., 2016). It starts at zero. A token has none where too few
    stand before it: at the beginning of a row, and of a document where there are segments.

    Args:
        order: tokens of an n-gram, 2 or 3.
        rows: of the table.
        width: D.
    """

    def __init__(self, order: int, rows: int, width: int) -> None:
        super().__init__()
        self.order = order
        self.table = nn.Embedding(rows, width)

    def forward(self, inputs: Tensor, before: Tensor | None, segments: Tensor | None) -> Tensor:
        """Return embeddings (B, T, D) of the n-grams.

        Args:
            inputs: (B, T) ids.
            before: (B, N) the newest ids before the first ones, at most order - 1; None where there are none.
            segments: (B, T) document numbers, or None.
        """
        before = inputs[:, :0] if before is None else before
        most, length = self.order - 1, inputs.shape[1]
        row = torch.cat((F.pad(before, (most - before.shape[1], 0), value=NOTHING), inputs), dim=1)  # (B, order - 1 + T)
        hashes, known = inputs * FACTORS[0], torch.ones_like(inputs, dtype=torch.bool)  # (B, T)
        for lag in range(1, self.order):
            previous = row[:, most - lag : most - lag + length]
            hashes, known = hashes ^ (previous * FACTORS[lag]), known & (previous != NOTHING)
            if segments is not None:
                known = known & ~document_starts(segments, lag)
        ngrams: Tensor = self.table(hashes % self.table.num_embeddings)
        return ngrams.masked_fill(~known[..., None], 0.0)


def document_starts(segments: Tensor, within: int = 1) -> Tensor:
    """Return at which positions (B, T) a document began within the last so many positions; the first of a row is none."""
    lag = min(within, segments.shape[1])
    return F.pad(segments[:, lag:] != segments[:, : segments.shape[1] - lag], (lag, 0))


def positions_of(length: int, start: int, segments: Tensor | None, device: torch.device) -> Tensor:
    """Return positions (T,), or (B, T) counted from 0 in each document, as a document will stand when generated."""
    positions = torch.arange(start, start + length, device=device)
    if segments is None:
        return positions
    return positions - (positions * document_starts(segments)).cummax(dim=1).values
