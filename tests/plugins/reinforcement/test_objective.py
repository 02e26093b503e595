"""Golden numbers of the loss: trl's formula written out, and what it is a function of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pentad import IGNORED, TensorBatch
from pentad_reinforcement.builder import GRPO
from pentad_reinforcement.objective import GroupRelative
from pentad_reinforcement.options import GRPOOptions

X = IGNORED


class Net:
    """Log-probabilities as given, one for each target."""

    def __init__(self, values, reference=None):
        self.values, self.reference = torch.as_tensor(values), reference

    def __call__(self, inputs):
        return type("Output", (), {"features": inputs})

    def logprobs(self, features, targets):
        return torch.where(targets == IGNORED, 0.0, self.values)


def batch(targets, advantage, logprobs=None):
    extra = {"advantage": torch.tensor(advantage), "reward": torch.tensor(advantage)}
    if logprobs is not None:
        extra["logprobs"] = torch.tensor(logprobs)
    return TensorBatch(inputs=torch.tensor(targets).clamp(min=0), targets=torch.tensor(targets), extra=extra)


def test_trls_formula_written_out():
    new = np.array([[0.0, -1.0, -2.0], [0.0, -0.5, 0.0]])
    old = np.array([[0.0, -1.5, -1.9], [0.0, -0.4, 0.0]])
    reference = np.array([[0.0, -1.2, -2.5], [0.0, -0.7, 0.0]])
    mask = np.array([[0.0, 1, 1], [0, 1, 0]])
    advantage = np.array([1.5, -0.7])
    # As trl's GRPOTrainer computes it (loss_type "grpo"): https://github.com/huggingface/trl
    ratio = np.exp(new - old)
    clipped = np.clip(ratio, 0.8, 1.2)
    kl = np.exp(reference - new) - (reference - new) - 1
    per_token = -np.minimum(ratio * advantage[:, None], clipped * advantage[:, None]) + 0.04 * kl
    expected = ((per_token * mask).sum(1) / mask.sum(1)).mean()
    options = GRPOOptions(beta=0.04, updates=2)
    made = batch([[X, 5, 6], [X, 7, X]], advantage.tolist(), old.tolist())
    loss = GroupRelative(options).loss(Net(new, Net(reference)), made)
    assert float(loss.total / loss.count) == pytest.approx(expected, rel=1e-6)
    assert float(loss.metrics["kl"] / loss.count) == pytest.approx(((kl * mask).sum(1) / mask.sum(1)).mean(), rel=1e-6)
    assert float(loss.metrics["completion-length"] / loss.count) == 1.5
    assert float(loss.metrics["clipped"] / loss.count) == pytest.approx(0.25)  # the first token rose by e^0.5
    dr = GroupRelative(GRPOOptions(beta=0.04, updates=2, loss="dr-grpo", max_tokens=10))
    expected = ((per_token * mask).sum(1) / 10).mean()
    assert float((found := dr.loss(Net(new, Net(reference)), made)).total / found.count) == pytest.approx(expected, rel=1e-6)


def test_the_first_update_is_reinforce():
    values = torch.tensor([[0.0, -1.0, -2.0], [0.0, -0.5, -0.1]], requires_grad=True)
    GroupRelative(GRPOOptions()).loss(Net(values), batch([[X, 5, 6], [X, 7, X]], [2.0, -1.0])).total.backward()
    assert values.grad.tolist() == [[0.0, -1.0, -1.0], [0.0, 1.0, 0.0]]  # minus the advantage over the length


@pytest.mark.parametrize(("advantage", "moved", "slope"), [(1.0, 0.5, 0.0), (1.0, -0.5, -math.exp(-0.5)), (-1.0, -0.5, 0.0)])
def test_beyond_its_bound_a_token_is_not_moved_further(advantage, moved, slope):
    log_ratio = torch.tensor([[moved]], requires_grad=True)
    GroupRelative(GRPOOptions()).surrogate(log_ratio, torch.tensor([[advantage]]))[0].sum().backward()
    assert float(log_ratio.grad) == pytest.approx(slope)


def advantages(rewards, **options):
    made = GRPO(GRPOOptions(**options), context_length=8, vocab_size=9, end_of_text=8, tokenizer=None)
    return made.advantages(np.array(rewards, np.float32)).tolist()


def test_advantages_by_hand():
    # Mean 0.25, and a deviation of 0.5 with n - 1 in it, as torch has it.
    assert advantages([1, 0, 0, 0], answers=4) == pytest.approx([0.75 / 0.5001] + 3 * [-0.25 / 0.5001], rel=1e-6)
    assert advantages([1, 0, 0, 0], answers=4, loss="dr-grpo") == pytest.approx([0.75, -0.25, -0.25, -0.25])
    assert advantages([0.1, 0.1, 0.1, 1, 1, 1], answers=3) == [0.0] * 6  # exactly


def test_answers_of_equal_rewards_have_no_gradient():
    values = torch.tensor([[0.0, -1.0]], requires_grad=True)
    GroupRelative(GRPOOptions()).loss(Net(values), batch([[X, 5]], [0.0])).total.backward()
    assert not values.grad.any()
