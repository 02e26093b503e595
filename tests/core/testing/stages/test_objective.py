"""Each wrong objective is caught by the check meant for it, and by no other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pentad import IGNORED, Batch, CrossEntropy, ExampleBuilder, Implementation, Loss, Objective, shuffled
from pentad.testing import ObjectiveConformance


class Builder(ExampleBuilder):
    """Windows side by side, a weight for each row, and the objective of the test."""

    own: type[Objective]

    def __init__(self, options, *, context_length, vocab_size, end_of_text):
        self.context_length, self.end_of_text = context_length, end_of_text

    def count(self, tokens):
        return (len(tokens) - 1) // self.context_length

    def build(self, tokens, indices, seed):
        _, windows = shuffled(indices, self.count(tokens), seed)
        at = windows[:, None] * self.context_length + np.arange(self.context_length + 1)
        rows = tokens.ids[at].astype(np.int64)
        weight = (1 + windows % 3).astype(np.float64)
        return Batch(inputs=rows[:, :-1], targets=rows[:, 1:].copy(), extra={"weight": weight})

    def objective(self):
        return self.own()


class Right(Objective):
    """Cross-entropy of rows that weigh differently; every other objective breaks one promise."""

    def loss(self, net, batch):
        features = net(batch.inputs).features
        counted = (batch.targets != IGNORED).any(dim=1)
        rows = -net.logprobs(features, batch.targets).sum(dim=1)
        total = (rows * batch.extra["weight"]).sum().float()
        return self.changed(Loss(total=total, count=counted.sum(), metrics={"rows": counted.sum()}), batch, net)

    def changed(self, loss, batch, net):
        return loss


class LossOfEachRow(Right):
    def changed(self, loss, batch, net):
        if bool((batch.targets == IGNORED).all()):
            return loss
        return replace(loss, total=loss.total.expand(3) / 3)


class Detached(Right):
    def changed(self, loss, batch, net):
        return replace(loss, total=loss.total.detach() + 0 * next(net.model.parameters()).sum())


class Averages(Right):
    def changed(self, loss, batch, net):
        return replace(loss, total=loss.total / max(1, len(batch.inputs)))


class AveragesItsMetrics(Right):
    def changed(self, loss, batch, net):
        return replace(loss, metrics={"rows": 1.0})


class CountsRows(Right):
    def changed(self, loss, batch, net):
        return replace(loss, count=len(batch.inputs))


class MetricIsNaN(Right):
    def changed(self, loss, batch, net):
        return replace(loss, metrics={"rows": torch.ones(2)})


class HidesInPlace(Right):
    def changed(self, loss, batch, net):
        batch.inputs[:, 0] = 0
        return loss


def failures(objective):
    builder = type("Mine", (Builder,), {"own": objective})
    record = Implementation(name="wrong", summary="", factory=builder)
    kit = type("Kit", (ObjectiveConformance,), {"implementation": record})()
    return {check: result.note for check in kit.checks() if (result := kit.run(check)).outcome != "passed"}


def test_right_objectives_pass():
    assert failures(Right) == failures(CrossEntropy) == {}


@pytest.mark.parametrize(
    ("objective", "check"),
    [
        (Detached, "loss_has_a_gradient"),
        (Averages, "losses_add_up"),
        (AveragesItsMetrics, "losses_add_up"),
        (CountsRows, "nothing_to_learn_counts_0"),
        (HidesInPlace, "changes_no_batch"),
    ],
)
def test_a_wrong_objective_is_caught_by_the_check_meant_for_it(objective, check):
    found = failures(objective)
    assert list(found) == [check], found


@pytest.mark.parametrize(("objective", "check"), [(LossOfEachRow, "loss_is_a_finite_sum"), (MetricIsNaN, "metrics_are_finite")])
def test_what_is_no_single_number_is_caught_by_the_check_meant_for_it(objective, check):
    """Nothing can be added up or differentiated then, so other checks fail as well."""
    assert check in failures(objective)
    assert "nothing_to_learn_counts_0" not in failures(objective)
