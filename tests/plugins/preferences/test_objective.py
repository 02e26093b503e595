"""Golden numbers of the losses, computed by hand from the papers' formulas, and what they are a function of."""

from __future__ import annotations

import math

import pytest
import torch

from pentad import IGNORED, TensorBatch
from pentad.testing import raises_code
from pentad.tools import parse
from pentad_preferences.objective import Preference
from pentad_preferences.options import DPOOptions

# Margin 0.5: log sigmoid(0.5) = -0.474077, log sigmoid(-0.5) = -0.974077.
GOLDEN = [
    ({}, 0.474077),
    ({"label_smoothing": 0.1}, 0.9 * 0.474077 + 0.1 * 0.974077),
    ({"loss": "ipo"}, (0.5 / 0.1 - 1 / 0.2) ** 2),
    ({"loss": "ipo", "beta": 0.5}, (1.0 - 1.0) ** 2),
    ({"loss": "hinge"}, 0.5),
    ({"loss": "simpo"}, 0.474077),
    ({"loss": "simpo", "target_margin": 1.0}, 0.974077),
]


@pytest.mark.parametrize(("options", "expected"), GOLDEN)
def test_the_loss_of_a_margin_of_a_half(options, expected):
    found = Preference(DPOOptions(**options)).losses(torch.tensor([0.5]))
    assert float(found) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, math.log(2)), ({"label_smoothing": 0.3}, math.log(2)), ({"loss": "ipo"}, 25.0), ({"loss": "hinge"}, 1.0)],
)
def test_where_a_loss_starts(options, expected):
    assert float(Preference(DPOOptions(**options)).losses(torch.zeros(1))) == pytest.approx(expected, rel=1e-6)


def test_beyond_its_bound_a_hinge_is_flat_and_ipo_turns_back():
    margins = torch.tensor([2.0], requires_grad=True)
    assert float(Preference(DPOOptions(loss="hinge")).losses(margins).detach()) == 0
    Preference(DPOOptions(loss="ipo")).losses(margins).backward()
    assert float(margins.grad) > 0


class Net:
    """Log-probabilities by target: those of the answer's ids, as given."""

    def __init__(self, values, reference=None):
        self.values, self.reference = torch.tensor(values), reference

    def __call__(self, inputs):
        return type("Output", (), {"features": inputs})

    def logprobs(self, features, targets):
        return torch.where(targets == IGNORED, 0.0, self.values[targets.clamp(min=0)])


def batch(chosen, rejected):
    chosen, rejected = torch.tensor(chosen), torch.tensor(rejected)
    return TensorBatch(inputs=chosen, targets=chosen, extra={"inputs": rejected, "targets": rejected})


def test_dpo_sums_and_subtracts_the_reference():
    net = Net([0.0, -1.0, -2.0, -3.0], Net([0.0, -2.0, -2.0, -2.0]))
    # chosen 1, 2: (-1 - 2) - (-2 - 2) = 1; rejected 3: -3 - -2 = -1; margin 0.1 * 2.
    loss = Preference(DPOOptions()).loss(net, batch([[IGNORED, 1, 2]], [[IGNORED, 3, IGNORED]]))
    assert float(loss.total) == pytest.approx(-math.log(1 / (1 + math.exp(-0.2))), rel=1e-6)
    assert float(loss.metrics["preference-margin"]) == pytest.approx(0.2)
    assert float(loss.metrics["preference-accuracy"]) == 1


def test_simpo_takes_means_and_no_reference():
    objective = Preference(DPOOptions(loss="simpo", beta=2.0, target_margin=0.5))
    assert not objective.needs_reference
    loss = objective.loss(Net([0.0, -1.0, -2.0, -3.0]), batch([[IGNORED, 1, 2]], [[IGNORED, 3, IGNORED]]))
    assert float(loss.total) == pytest.approx(math.log(1 + math.exp(-(2 * (-1.5 + 3) - 0.5))), rel=1e-6)


def test_a_pair_without_a_target_counts_nothing():
    loss = Preference(DPOOptions(loss="simpo")).loss(Net([0.0, -1.0]), batch([[1], [1]], [[1], [IGNORED]]))
    assert int(loss.count) == 1


@pytest.mark.parametrize("options", [{"loss": "ipo", "label_smoothing": 0.1}, {"target_margin": 1.0}])
def test_options_of_other_losses_are_refused(options):
    with raises_code("options-conflict"):
        parse(DPOOptions, options, "builder")


def test_orpo_learns_the_answer_and_its_odds():
    objective = Preference(DPOOptions(loss="orpo", beta=0.25))
    assert not objective.needs_reference
    loss = objective.loss(Net([0.0, -1.0, -2.0, -3.0]), batch([[IGNORED, 1, 2]], [[IGNORED, 3, IGNORED]]))
    # As trl's ORPOTrainer computes it, of mean log-probabilities -1.5 and -3.
    log_odds = (-1.5 + 3) - (math.log1p(-math.exp(-1.5)) - math.log1p(-math.exp(-3)))
    assert float(loss.total) == pytest.approx(1.5 + 0.25 * math.log1p(math.exp(-log_odds)), rel=1e-5)
    assert float(loss.metrics["preference-margin"]) == pytest.approx(0.25 * log_odds, rel=1e-5)
    assert float(loss.metrics["nll"]) == pytest.approx(1.5)
    certain = objective.loss(Net([0.0, -0.0, -2.0, -3.0]), batch([[IGNORED, 1, IGNORED]], [[IGNORED, 3, IGNORED]]))
    assert math.isfinite(float(certain.total))
