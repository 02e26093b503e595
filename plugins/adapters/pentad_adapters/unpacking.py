"""Documents that share a row, each in a row of its own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def unpacked(inputs: Tensor, segments: Tensor, *, causal: bool) -> tuple[Tensor, Tensor | None, Tensor]:
    """Return each document of the rows in a row of its own.

    Args:
        inputs: (B, T) ids.
        segments: (B, T) document numbers, never falling in a row.
        causal: whether padding behind a document goes unseen; else it gets a segment of its own.

    Returns:
        The documents (N, L), padded with the id 0; their segments (N, L), or None where none are needed; and where each input
        went, as an index (B, T) into the flattened documents.
    """
    opens = F.pad(segments[:, 1:] != segments[:, :-1], (1, 0), value=True).flatten()  # (B * T,)
    document = opens.cumsum(0) - 1
    starts = opens.nonzero()[:, 0]  # (N,)
    place = torch.arange(len(document), device=inputs.device) - starts[document]
    length = int(place.max()) + 1
    rows = inputs.new_zeros(len(starts), length)
    rows[document, place] = inputs.flatten()
    apart = None
    if not causal and len(starts) * length > len(document):
        apart = torch.ones_like(rows)
        apart[document, place] = 0
    return rows, apart, (document * length + place).view(inputs.shape)
