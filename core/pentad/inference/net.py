"""The door to a model while it learns or is judged: compiled or not, in the run's precision, with the logits made in chunks.

The logits are by far the largest tensor of a small model (tokens times vocabulary). They are made, scored and differentiated
one chunk of tokens at a time, so that memory does not grow with the batch and nothing is computed twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pentad.contracts.batch import IGNORED
from pentad.contracts.model import Model, Output
from pentad.contracts.objective import Net
from pentad.contracts.vocabulary import Vocabulary
from pentad.registry.failures import wrong_return
from pentad.system.machine import Machine

CHUNK_LOGITS = {"cpu": 1 << 25, "cuda": 1 << 28}
"""Logits at once, at most: 128 MB in fp32 on a CPU, 1 GB on a GPU, whose kernels want to be large."""

Forward = Callable[..., Output]


class ModelNet(Net):
    """A model with the machine that it computes on.

    Args:
        model: on the machine's device.
        machine: where and in which precision.
        vocabulary: what the model knows, or None where nobody asks.
        forward: the compiled model, or None for the model as it is.
        reference: the model that the run started from, or None where nobody asks.
    """

    def __init__(
        self,
        model: Model,
        machine: Machine,
        *,
        vocabulary: Vocabulary | None = None,
        forward: Forward | None = None,
        reference: Net | None = None,
    ) -> None:
        self.model, self.machine = model, machine
        self.vocabulary, self.reference = vocabulary, reference
        self._forward: Forward = model if forward is None else forward  # a compiled model has no truth value
        self._head: list[nn.Parameter] | None = None
        self._auxiliary: list[Output] = []

    def __call__(self, inputs: Tensor, segments: Tensor | None = None) -> Output:
        """Return the model's output for inputs (B, T)."""
        with self.machine.autocast():
            output = self._forward(inputs, None, segments)
        if not isinstance(output, Output):
            raise wrong_return(self.model, "forward", "a pentad.Output(features, state, losses)", output)
        if output.losses and output.features.requires_grad:  # not those of a frozen reference
            self._auxiliary.append(output)
        return output

    def pop_auxiliary(self) -> dict[str, Tensor]:
        """Return the means of the auxiliary losses () of the calls since the last time, by name, and forget them."""
        outputs, self._auxiliary = self._auxiliary, []
        names = {name for output in outputs for name in output.losses}
        return {
            name: torch.stack([output.losses[name].float() for output in outputs if name in output.losses]).mean()
            for name in sorted(names)
        }

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (…, V) of features (…, D) in float32."""
        with self.machine.autocast():
            logits = self.model.logits(features)
        return logits.float()

    def ahead(self, features: Tensor) -> Sequence[Tensor]:
        """Return the features (B, T, D) of each token beyond the next."""
        with self.machine.autocast():
            return self.model.ahead(features)

    def nll(self, features: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the summed negative log-likelihood () of the targets that count."""
        features, targets, weights = _counted(features, targets, weights)  # (N, D), (N,), (N,)
        rows = self._rows()
        if len(targets) <= rows:
            return self._summed(features, targets, weights)
        if not torch.is_grad_enabled():
            parts = _chunks(rows, features, targets, weights)
            return torch.stack([self._summed(*part) for part in parts]).double().sum()
        chunked: Any = _ChunkedNLL.apply
        total: Tensor = chunked(self, rows, targets, weights, features, *self._head_parameters(features))
        return total

    def logprobs(self, features: Tensor, targets: Tensor) -> Tensor:
        """Return the log-probability (B, T) of each target; 0 where it is `IGNORED`."""
        flat, wanted = features.flatten(0, 1), targets.flatten()
        parts = [
            -F.cross_entropy(self.logits(chunk), ids, ignore_index=IGNORED, reduction="none")
            for chunk, ids in zip(flat.split(self._rows()), wanted.split(self._rows()), strict=True)
        ]
        return torch.cat(parts).view(targets.shape)

    def _rows(self) -> int:
        return max(1, CHUNK_LOGITS.get(self.machine.device.type, 1 << 26) // self.model.vocab_size)

    def _summed(self, features: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        logits = self.logits(features)  # (N, V)
        if weights is None:
            if logits.requires_grad and logits.device.type == "cpu":
                return _SummedNLL.apply(logits, targets)  # type: ignore[no-any-return, no-untyped-call]
            return F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")
        return (F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="none") * weights).sum()

    def _head_parameters(self, features: Tensor) -> list[nn.Parameter]:
        """Return the parameters that `logits` reads, found out once by asking for their gradients on one row."""
        if self._head is None:
            parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
            with torch.enable_grad():
                row = features[:1].detach().requires_grad_()
                found = torch.autograd.grad(self.logits(row).sum(), [row, *parameters], allow_unused=True)[1:]
            self._head = [parameter for parameter, gradient in zip(parameters, found, strict=True) if gradient is not None]
        return self._head


class _SummedNLL(torch.autograd.Function):
    """Cross-entropy, summed, in fewer passes over the logits (N, V): the gradient takes the place of the log-probabilities.

    For CPUs, where each pass goes through memory.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        columns = targets.clamp_min(0)[:, None]
        ignored = (targets == IGNORED)[:, None]  # (N, 1)
        logprobs = logits.log_softmax(dim=-1)
        loss = -logprobs.gather(1, columns).masked_fill_(ignored, 0.0).sum()
        gradient = logprobs.exp_()
        gradient.scatter_add_(1, columns, gradient.new_full((), -1.0).expand_as(columns))
        if bool(ignored.any()):
            gradient.masked_fill_(ignored, 0.0)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient if float(outer) == 1.0 else gradient * outer), None


class _ChunkedNLL(torch.autograd.Function):
    """The summed loss of many rows; each chunk is differentiated at once, and its logits are let go."""

    @staticmethod
    def forward(
        ctx: Any, net: ModelNet, rows: int, targets: Tensor, weights: Tensor | None, features: Tensor, *head: nn.Parameter
    ) -> Tensor:
        total = torch.zeros((), device=features.device)
        gradients: list[Tensor] = []
        sums: list[Tensor | None] = [None] * len(head)
        for chunk, ids, weight in _chunks(rows, features.detach(), targets, weights):
            with torch.enable_grad():
                leaf = chunk.requires_grad_()
                loss = net._summed(leaf, ids, weight)
                of_leaf, *of_head = torch.autograd.grad(loss, [leaf, *head])
            total += loss.detach()
            gradients.append(of_leaf)
            for number, gradient in enumerate(of_head):
                before = sums[number]
                sums[number] = gradient if before is None else before.add_(gradient)
        ctx.gradients = (torch.cat(gradients), *sums)
        return total

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        (scale,) = outer
        return (None, None, None, None, *(gradient * scale for gradient in ctx.gradients))


def _chunks(rows: int, features: Tensor, targets: Tensor, weights: Tensor | None) -> list[tuple[Tensor, Tensor, Tensor | None]]:
    split: Sequence[Tensor | None] = [None] * -(-len(targets) // rows) if weights is None else weights.split(rows)
    return list(zip(features.split(rows), targets.split(rows), split, strict=True))


def _counted(features: Tensor, targets: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Flatten, and drop the positions that do not count where they are many (a prefix builder counts one in T)."""
    features, targets = features.flatten(0, 1), targets.flatten()
    weights = None if weights is None else weights.flatten()
    counted = targets != IGNORED
    if int(counted.sum()) < 0.75 * len(targets):
        return features[counted], targets[counted], None if weights is None else weights[counted]
    return features, targets, weights


def negative_log_likelihood(model: Model, machine: Machine, inputs: Tensor, targets: Tensor, segments: Tensor | None) -> float:
    """Return the summed loss of the targets that count, in nats, without gradients."""
    net = ModelNet(model, machine)
    with torch.no_grad():
        return float(net.nll(net(inputs, segments).features, targets))


def bits_per_byte(nats: float, n_bytes: int, lost_bytes: int = 0) -> float:
    """Turn a summed negative log-likelihood into bits per byte of the text that it scores.

    Bytes that a tokenizer lost are charged as if each of the 256 were equally likely, 8 bits: else the fewer characters a
    tokenizer tells apart, the better the score would be.

    >>> round(bits_per_byte(math.log(2) * 16, 8), 6)
    2.0
    >>> round(bits_per_byte(math.log(2) * 16, 8, lost_bytes=4), 6)
    6.0
    """
    return (nats / math.log(2) + 8 * lost_bytes) / n_bytes
