"""What is minimised: the cross-entropy of the builder's targets, summed, with the logits made in chunks.

The logits are by far the largest tensor of a small model (tokens times vocabulary). They are made, scored and differentiated
one chunk of tokens at a time, so that memory does not grow with the batch and nothing is computed twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from pentad.contracts.batch import IGNORED
from pentad.contracts.model import Model
from pentad.system.machine import Machine

CHUNK_LOGITS = {"cpu": 1 << 25, "cuda": 1 << 28}
"""Most logits at once: 128 MB in fp32 on a CPU, 1 GB on a GPU, whose kernels want to be large."""

Forward = Callable[..., tuple[Tensor, object]]


def cross_entropy_backward(
    model: Model, forward: Forward, machine: Machine, inputs: Tensor, targets: Tensor, segments: Tensor | None
) -> Tensor:
    """Add the gradient of the summed loss to the parameters' `.grad`.

    Args:
        model: gives the logits.
        forward: the model itself, or its compiled twin.
        machine: where and in which precision.
        inputs, targets, segments: (B, T), as in `pentad.Batch`.

    Returns:
        The summed loss in nats, detached, on the device.
    """
    with machine.autocast():
        features, _ = forward(inputs, None, segments)  # (B, T, D)
    features, targets = _counted(features, targets)  # (N, D), (N,)
    rows = _rows(model, machine)
    if len(targets) <= rows:
        loss = _summed_loss(model, machine, features, targets)
        loss.backward()
        return loss.detach()
    total = torch.zeros((), device=features.device)
    gradients = []
    for chunk, wanted in zip(features.detach().split(rows), targets.split(rows), strict=True):
        leaf = chunk.requires_grad_()
        loss = _summed_loss(model, machine, leaf, wanted)
        loss.backward()  # reaches the head's parameters, and stops at the leaf
        total += loss.detach()
        assert leaf.grad is not None
        gradients.append(leaf.grad)
    if features.requires_grad:  # not where all but the head is frozen
        features.backward(torch.cat(gradients))
    return total


def negative_log_likelihood(model: Model, machine: Machine, inputs: Tensor, targets: Tensor, segments: Tensor | None) -> float:
    """Return the summed loss of the targets that count, in nats, without gradients."""
    with machine.autocast():
        features, _ = model(inputs, None, segments)
    features, targets = _counted(features, targets)
    rows = _rows(model, machine)
    chunks = zip(features.split(rows), targets.split(rows), strict=True)
    # Added up as Python's numbers, in double precision, which mps does not have.
    return sum(_summed_loss(model, machine, chunk, wanted).item() for chunk, wanted in chunks)


def _counted(features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Flatten, and drop the positions that do not count where they are many (a prefix builder counts one in T)."""
    features, targets = features.flatten(0, 1), targets.flatten()
    counted = targets != IGNORED
    if int(counted.sum()) < 0.75 * len(targets):
        return features[counted], targets[counted]
    return features, targets


def _rows(model: Model, machine: Machine) -> int:
    return max(1, CHUNK_LOGITS.get(machine.device.type, 1 << 26) // model.vocab_size)


def _summed_loss(model: Model, machine: Machine, features: Tensor, targets: Tensor) -> Tensor:
    with machine.autocast():
        logits = model.logits(features)  # (N, V)
    return F.cross_entropy(logits.float(), targets, ignore_index=IGNORED, reduction="sum")


def bits_per_byte(nats: float, n_bytes: int) -> float:
    """Turn a summed negative log-likelihood into bits per byte of the text that it scores.

    >>> round(bits_per_byte(math.log(2) * 16, 8), 6)
    2.0
    """
    return nats / math.log(2) / n_bytes
