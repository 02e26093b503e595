"""Objectives: cross-entropy is the sum over what counts, by weight, and adds up over batches."""

from __future__ import annotations

import pytest
import torch

from pentad import IGNORED, CrossEntropy, Net, TensorBatch
from pentad.inference.net import ModelNet


def batch_of(inputs, targets, weights=None):
    return TensorBatch(inputs=inputs, targets=targets, weights=weights)


@pytest.fixture
def net(fakes, cpu):
    torch.manual_seed(0)
    return ModelNet(fakes.Summing(11), cpu)


def test_cross_entropy_adds_up_over_batches(net):
    assert isinstance(net, Net)
    inputs, targets = torch.randint(11, (2, 4, 8))
    targets[0, :3] = IGNORED
    whole = CrossEntropy().loss(net, batch_of(inputs, targets))
    parts = [CrossEntropy().loss(net, batch_of(inputs[rows], targets[rows])) for rows in (slice(0, 1), slice(1, 4))]
    torch.testing.assert_close(sum(part.total for part in parts), whole.total)
    assert int(whole.count) == sum(int(part.count) for part in parts) == 29


def test_weights_count_as_much_as_they_weigh(net):
    inputs, targets = torch.randint(11, (2, 2, 4))
    weights = torch.tensor([[0.0, 0.5, 2.0, 1.0]] * 2)
    found = CrossEntropy().loss(net, batch_of(inputs, targets, weights))
    logprobs = net.logprobs(net(inputs).features, targets)
    torch.testing.assert_close(found.total, -(logprobs * weights).sum())
    assert float(found.count) == 7.0


def test_nothing_to_learn_counts_nothing(net):
    inputs = torch.randint(11, (2, 4))
    found = CrossEntropy().loss(net, batch_of(inputs, torch.full_like(inputs, IGNORED)))
    assert float(found.total) == 0.0 and int(found.count) == 0
