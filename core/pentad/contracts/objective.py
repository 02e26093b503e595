"""The objective contract: what is minimised.

An objective is a small object that an example builder returns from `objective()`; cross-entropy on the targets is the default.
The trainer, the cost estimate and the budget in FLOPs all call the same objective, and reach the model through the same `Net`:
compiled or not, in the run's precision, with the head in chunks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from pentad.contracts.model import Model, Output
    from pentad.contracts.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True, eq=False)
class TensorBatch:
    """A `Batch` as tensors on the device.

    Args:
        inputs: (B, T) int64.
        targets: (B, T) int64, or `IGNORED`.
        segments: (B, T) int64, or None when each row is one document.
        weights: (B, T) float32, or None when every target counts 1.
        extra: the batch's named extra arrays, rows first.
    """

    inputs: Tensor
    targets: Tensor
    segments: Tensor | None = None
    weights: Tensor | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Loss:
    """What an objective returns for a batch.

    Args:
        total: () the loss, summed over what counts (targets, pairs, answers), in nats where it is a likelihood.
        count: how much counts, a number or a tensor (). Core divides the sum over all micro-batches and processes by it, so how
            the examples are cut makes no difference. 0 when the batch has nothing to learn.
        metrics: named sums to log beside the loss, each divided by the count likewise.
    """

    total: Tensor
    count: Tensor | float
    metrics: Mapping[str, Tensor | float] = field(default_factory=dict)


class Net(ABC):
    """The one door to the model while it learns or is judged.

    Auxiliary losses that the model returns (`Output.losses`) are added to the objective and logged by core; an objective need
    not know of them.
    """

    model: Model
    """The model itself, for what the other methods do not give. A call of it is not compiled."""

    vocabulary: Vocabulary | None
    """Every id that the model knows."""

    reference: Net | None = None
    """The model as it was when the run began, frozen and without dropout; given to an objective that asks for it."""

    @abstractmethod
    def __call__(self, inputs: Tensor, segments: Tensor | None = None) -> Output:
        """Return the model's output (features (B, T, D)) for inputs (B, T)."""

    @abstractmethod
    def logits(self, features: Tensor) -> Tensor:
        """Return logits (…, V) of features (…, D) in float32. They are large: prefer `nll` and `logprobs`."""

    @abstractmethod
    def nll(self, features: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the summed negative log-likelihood () in nats of the targets that count.

        Args:
            features: (B, T, D).
            targets: (B, T), or `IGNORED`.
            weights: (B, T), or None when every target counts 1.
        """

    def ahead(self, features: Tensor) -> Sequence[Tensor]:
        """Return the features (B, T, D) of each token beyond the next that the builder asked for, as `nll` takes them."""
        return self.model.ahead(features)

    @abstractmethod
    def logprobs(self, features: Tensor, targets: Tensor) -> Tensor:
        """Return the log-probability (B, T) in nats of each target; 0 where it is `IGNORED`."""


class Objective(ABC):
    """What is minimised.

    It returns a `Loss`: a sum over what counts, how much counts, and named sums to log. Core adds
    these up over micro-batches and processes, divides them by the count once, and differentiates;
    so an objective never averages, and needs no factor for the batch size. Auxiliary losses of the
    model are added by core.

    Promises, each checked by the conformance kit: the loss of two batches together is the sum of their losses; a batch with
    nothing to learn has count 0; the loss is finite and has a gradient.
    """

    dropout: bool = True
    """Whether the model drops features in training. Objectives that compare two passes say False."""

    needs_reference: bool = False
    """Whether the model is compared with the one that the run started from: then `net.reference` is that one. A run that starts
    from no other is refused."""

    name: str = "loss"
    """What the loss is called in metrics and plans."""

    watched: str = ""
    """The metric that tells how the learning goes where the loss does not (a reward): displays draw it in place of the loss."""

    @abstractmethod
    def loss(self, net: Net, batch: TensorBatch) -> Loss:
        """Return the loss of a batch."""


class CrossEntropy(Objective):
    """The negative log-likelihood of the targets, each weighted by `weights`."""

    name = "cross-entropy"

    def loss(self, net: Net, batch: TensorBatch) -> Loss:
        """Return the summed negative log-likelihood, and the number (or the weight) of the targets that count."""
        from pentad.contracts.batch import IGNORED

        features = net(batch.inputs, batch.segments).features
        counted = batch.targets != IGNORED
        count = counted.sum() if batch.weights is None else torch.where(counted, batch.weights, 0.0).sum()
        return Loss(total=net.nll(features, batch.targets, batch.weights), count=count)
