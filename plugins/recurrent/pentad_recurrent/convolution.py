"""A short causal convolution, each channel by itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ShortConvolution(nn.Module):
    """Mixes each channel over the last few tokens of its document, then SiLU.

    Args:
        channels: C.
        size: tokens K, the current one included.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, size))

    def empty(self, batch_size: int) -> Tensor:
        """Return that nothing came before: (B, K - 1, C)."""
        channels, size = self.weight.shape
        return self.weight.new_zeros(batch_size, size - 1, channels)

    def forward(self, x: Tensor, before: Tensor, segments: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return x (B, T, C), mixed, and the last inputs (B, K - 1, C).

        Args:
            x: (B, T, C).
            before: (B, K - 1, C), the inputs before.
            segments: (B, T) document numbers, or None.
        """
        length, size = x.shape[1], self.weight.shape[1]
        padded = torch.cat([before.to(x.dtype), x], dim=1)  # (B, K - 1 + T, C)
        numbers = None if segments is None else F.pad(segments, (size - 1, 0), value=-1)
        mixed = torch.zeros_like(x[:, :1, :1])
        for place in range(size):
            part = padded[:, place : place + length]
            if numbers is not None and segments is not None:
                part = part * (numbers[:, place : place + length] == segments)[..., None]
            mixed = torch.addcmul(mixed, part, self.weight[:, place].to(x.dtype))
        return F.silu(mixed), padded[:, length:]
