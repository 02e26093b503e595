"""The contract of the objective that a builder brings, as checks on examples that the builder makes.

from pentad.testing import ObjectiveConformance

class TestReinforce(ObjectiveConformance):
    name = "reward"  # the builder whose `objective()` it is
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from pentad.contracts.batch import IGNORED, Batch
from pentad.contracts.builder import ExampleBuilder
from pentad.contracts.objective import Loss, Objective, TensorBatch
from pentad.inference.net import ModelNet
from pentad.inference.session import ModelSession
from pentad.speed.batches import on_device
from pentad.testing.conformance import Conformance, require
from pentad.testing.stages.policy import policy_arguments
from pentad.testing.subjects import Bytes, Table, random_table, session_of, tokens_of

_INDICES = np.arange(6, dtype=np.int64)


class ObjectiveConformance(Conformance):
    """Checks of a builder's objective.

    Attributes:
        context_length: tokens of a row at the most.
    """

    kind = "builder"
    context_length: ClassVar[int] = 32

    def builder(self) -> ExampleBuilder:
        """Make the builder whose objective is under test."""
        made = self.make(**policy_arguments(self.context_length))
        require(isinstance(made, ExampleBuilder), f"the factory must return an ExampleBuilder, found a {type(made).__name__}")
        return made  # type: ignore[no-any-return]

    def objective(self) -> Objective:
        """Return the objective under test."""
        made = self.builder().objective()
        require(isinstance(made, Objective), f"objective() must return an Objective, found a {type(made).__name__}")
        return made  # type: ignore[return-value]

    def session(self) -> ModelSession:
        """Return the model with which the loss is computed, ready to write examples too."""
        special = self.builder().special_tokens
        model = Table(random_table(Bytes.vocab_size + len(special)))
        model.causal = self.builder().attention == "causal"
        model.predict_ahead(self.builder().tokens_ahead)
        return session_of(model, special)

    def examples(self, indices: Any = _INDICES) -> Batch:
        """Return examples of the builder's own making."""
        builder = self.builder()
        if not builder.needs_policy:
            return builder.build(tokens_of(), indices, 1)
        with torch.no_grad():
            return builder.roll_out(tokens_of(), indices, 1, self.session())

    def loss(self, batch: Batch, session: ModelSession | None = None) -> Loss:
        """Return the loss of a batch."""
        session = session or self.session()
        net = ModelNet(session.model, session.machine, vocabulary=session.vocabulary)
        found = self.objective().loss(net, on_device(batch, session.machine))
        require(isinstance(found, Loss), f"loss must return a pentad.Loss, found a {type(found).__name__}")
        return found

    def check_loss_is_a_finite_sum(self) -> None:
        """The total is one finite number, and the count a finite one that is not negative."""
        loss = self.loss(self.examples())
        require(isinstance(loss.total, Tensor), f"total must be a tensor (), found a {type(loss.total).__name__}")
        require(loss.total.shape == (), f"total must have shape (), found {tuple(loss.total.shape)}; sum it up")
        require(bool(loss.total.isfinite()), f"total is {_number(loss.total)}")
        count = _number(loss.count)
        require(math.isfinite(count) and count > 0, f"the count of {len(_INDICES)} examples is {count}")

    def check_loss_has_a_gradient(self) -> None:
        """The model's parameters get a gradient that is finite and not zero everywhere."""
        session = self.session()
        self.loss(self.examples(), session).total.backward()
        gradients = [parameter.grad for parameter in session.model.parameters()]
        reached = [gradient for gradient in gradients if gradient is not None and bool(gradient.any())]
        require(bool(reached), "no parameter of the model gets a gradient; do not detach what the net returns")
        require(all(bool(gradient.isfinite().all()) for gradient in reached), "a gradient is NaN or infinite")

    def check_losses_add_up(self) -> None:
        """Total, count and metrics of two batches, added, are those of both together: micro-batches make no difference."""
        whole = _sums(self.loss(self.examples()))
        parts = [_sums(self.loss(self.examples(part))) for part in (_INDICES[:2], _INDICES[2:])]
        for name, value in whole.items():
            added = sum(part.get(name, 0.0) for part in parts)
            require(
                math.isclose(value, added, rel_tol=1e-4, abs_tol=1e-4),
                f"{name} of a batch is {value:.5g}, of its two parts together {added:.5g}; sum over examples, core divides",
            )

    def check_nothing_to_learn_counts_0(self) -> None:
        """A batch in which every target is IGNORED has count 0."""
        batch = self.examples()
        extra = {name: np.full_like(array, IGNORED) if _ignores(array) else array for name, array in batch.extra.items()}
        loss = self.loss(dataclasses.replace(batch, targets=np.full_like(batch.targets, IGNORED), extra=extra))
        count = _number(loss.count)
        require(count == 0, f"the count is {count:.5g} where no target is learned; count what targets say, not rows")

    def check_metrics_are_finite(self) -> None:
        """Metrics are finite numbers, or tensors (), by name."""
        for name, value in self.loss(self.examples()).metrics.items():
            single = not isinstance(value, Tensor) or value.shape == ()
            require(isinstance(name, str) and single, f"the metric {name!r} must be one number by a name")
            require(math.isfinite(_number(value)), f"the metric {name} is {_number(value)}")

    def check_changes_no_batch(self) -> None:
        """The arrays of the batch stay as they are."""
        session, batch = self.session(), on_device(self.examples(), self.session().machine)
        before = {name: tensor.clone() for name, tensor in _named(batch)}
        net = ModelNet(session.model, session.machine, vocabulary=session.vocabulary)
        self.objective().loss(net, batch)
        changed = [name for name, tensor in _named(batch) if not torch.equal(tensor, before[name])]
        require(not changed, f"the objective changes {', '.join(changed)} in place; work on a copy")


def _ignores(array: Any) -> bool:
    """Whether an extra array holds targets: ids, some of them IGNORED."""
    return bool(np.issubdtype(array.dtype, np.integer) and (array == IGNORED).any())


def _number(value: Tensor | float) -> float:
    return float(value.detach()) if isinstance(value, Tensor) else float(value)


def _sums(loss: Loss) -> dict[str, float]:
    metrics = {f"the metric {name}": _number(value) for name, value in loss.metrics.items()}
    return {"total": _number(loss.total), "count": _number(loss.count), **metrics}


def _named(batch: TensorBatch) -> list[tuple[str, Tensor]]:
    found = [("inputs", batch.inputs), ("targets", batch.targets), ("segments", batch.segments), ("weights", batch.weights)]
    found += [(f"extra {name}", tensor) for name, tensor in batch.extra.items()]
    return [(name, tensor) for name, tensor in found if tensor is not None]
