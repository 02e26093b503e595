"""Linear layers as generation needs them, one token a row: joined where they read the same input, and arranged in memory.

With one token a row a product reads far more than it computes. A weight of int8 is a quarter of the bytes of one of fp32.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pentad_gpt.layers import Norm

INT8_FROM = 1 << 17
"""Weights of a matrix from which int8 is faster: below, the calls around the product cost what it saves (benchmarks/LOG.md)."""


class Product:
    """The product with a matrix, and perhaps a bias.

    The longer side of the matrix lies along memory, which reads 1.6 times as fast as the other way round.

    Args:
        weight: (O, I).
        bias: (O,) or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        rows, columns = weight.shape
        self.weight = weight.t().contiguous() if rows >= columns else weight.t()  # (I, O)
        self.bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """Return the product (B, O) of x (B, I)."""
        return torch.mm(x, self.weight) if self.bias is None else torch.addmm(self.bias, x, self.weight)

    def add_to(self, x: Tensor, inputs: Tensor) -> None:
        """Add the product of inputs (B, I) to x (B, O)."""
        x.addmm_(inputs, self.weight)
        if self.bias is not None:
            x.add_(self.bias)


class Int8Product(Product):
    """The same with weights of int8: each row of the matrix by its largest number, and each row of the input likewise.

    FBGEMM rounds inputs to 256 steps over the range of all of them. So that rows stay independent of each other, each is
    divided by its largest number first, and two more columns, whose weights are 0, hold the range at -1 to 1.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        scale = weight.abs().amax(dim=1, keepdim=True).add_(_TINY) / _steps()  # (O, 1)
        self.rounded = F.pad((weight / scale).round(), (0, 2)).to(torch.int8)  # (O, I + 2)
        self.packed = torch.fbgemm_pack_quantized_matrix(self.rounded)
        self.sums = self.rounded.sum(dim=1, dtype=torch.int32)
        self.scale = scale.t().contiguous()  # (1, O)
        self.nothing = weight.new_zeros(len(weight))
        self.ends = weight.new_tensor([[1.0, -1.0]])
        self.bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """Return the product (B, O) of x (B, I)."""
        product, largest = self._product(x)
        product.mul_(largest).mul_(self.scale)
        return product if self.bias is None else product.add_(self.bias)

    def add_to(self, x: Tensor, inputs: Tensor) -> None:
        """Add the product of inputs (B, I) to x (B, O)."""
        product, largest = self._product(inputs)
        x.addcmul_(product.mul_(largest), self.scale)
        if self.bias is not None:
            x.add_(self.bias)

    def _product(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the product (B, O) of the rounded matrix with x (B, I) divided by its largest numbers (B, 1), and these."""
        largest = torch.linalg.vector_norm(x, math.inf, dim=1, keepdim=True).add_(_TINY)
        inputs = torch.cat((x / largest, self.ends.expand(len(x), 2)), dim=1)  # (B, I + 2)
        return _multiply(inputs, self.rounded, self.packed, self.sums, self.nothing), largest


_TINY = 1e-30
"""Added to the largest number of a row, which may be 0."""


def int8_is_there() -> bool:
    """Say whether this build of torch has products with weights of int8: those for x86 processors do."""
    return "fbgemm" in torch.backends.quantized.supported_engines and hasattr(
        torch, "fbgemm_linear_int8_weight_fp32_activation"
    )


def _multiply(x: Tensor, rounded: Tensor, packed: Tensor, sums: Tensor, bias: Tensor) -> Tensor:
    product: Tensor = torch.fbgemm_linear_int8_weight_fp32_activation(x, rounded, packed, sums, 1.0, 0, bias)
    return product


@functools.cache
def _steps() -> int:
    """Return the largest number of a rounded matrix, found by a product that is known.

    Processors without VNNI add two products in 16 bits: 2 x 255 x 127 does not fit, and 2 x 255 x 63 does.
    """
    rounded = torch.tensor([[127, 127, 127, 127, 0, 0]], dtype=torch.int8)
    with warnings.catch_warnings():  # torch 2.13 says, once a process, that these will go; what follows them is slower
        warnings.simplefilter("ignore")
        packed = torch.fbgemm_pack_quantized_matrix(rounded)
        inputs = torch.tensor([[1.0, 1.0, 1.0, 1.0, 1.0, -1.0]])
        found = _multiply(inputs, rounded, packed, rounded.sum(dim=1, dtype=torch.int32), torch.zeros(1))
    return 127 if abs(float(found) - 4 * 127) < 1 else 63


def arranged(layers: Sequence[nn.Linear], norm: Norm | None = None, spare: int = 0, *, int8: bool = False) -> Product:
    """Return some linear layers of one input, or of its first features, as one product, behind a norm.

    Args:
        layers: the first has the most inputs.
        norm: what stands before them; an RMSNorm's size goes into the matrix.
        spare: columns of zeros behind theirs.
        int8: with weights of int8, where the matrix is large enough for that to be faster.
    """
    weights: list[Tensor] = [_widened(layer.weight.detach(), layers[0].in_features) for layer in layers]
    weights += [weights[0].new_zeros(spare, layers[0].in_features)] if spare else []
    weight = torch.cat(weights) if len(weights) > 1 else weights[0]  # (O, I)
    if norm is not None and norm.rms:
        weight = weight * (math.sqrt(weight.shape[1]) * (1.0 if norm.weight is None else norm.weight))
    biases: list[Tensor] = [
        weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias.detach() for layer in layers
    ]
    biased = any(layer.bias is not None for layer in layers)
    bias = torch.cat((*biases, weight.new_zeros(spare))) if biased else None
    return (Int8Product if int8 and weight.numel() >= INT8_FROM else Product)(weight, bias)


def _widened(weight: Tensor, width: int) -> Tensor:
    """Return a matrix (O, I) with zeros for further inputs, (O, width)."""
    return weight if weight.shape[1] == width else F.pad(weight, (0, width - weight.shape[1]))
