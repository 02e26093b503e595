from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pentad import NamedParameter, OptimizerOptions, RateOptions, ScheduleOptions, parameter_groups, schedule


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"schedule": "constant", "warmup_ratio": 0.0}, {0.0: 1, 0.5: 1, 1.0: 1}),
        ({"schedule": "constant", "warmup_ratio": 0.2, "final_lr_ratio": 0.1}, {0.0: 0, 0.05: 0.25, 0.1: 0.5, 0.2: 1, 1.0: 1}),
        ({"schedule": "linear", "warmup_ratio": 0.0}, {0.0: 1, 0.25: 0.75, 0.5: 0.5, 1.0: 0}),
        ({"schedule": "linear", "warmup_ratio": 0.2}, {0.1: 0.5, 0.2: 1, 0.6: 0.5, 1.0: 0}),
        ({"schedule": "linear", "warmup_ratio": 0.0, "final_lr_ratio": 0.2}, {0.0: 1, 0.5: 0.6, 1.0: 0.2}),
        ({"schedule": "cosine", "warmup_ratio": 0.0}, {0.0: 1, 1 / 3: 0.75, 0.5: 0.5, 2 / 3: 0.25, 1.0: 0}),
        ({"schedule": "cosine", "warmup_ratio": 0.1, "final_lr_ratio": 0.1}, {0.05: 0.5, 0.1: 1, 0.55: 0.55, 1.0: 0.1}),
        (
            {"schedule": "wsd", "warmup_ratio": 0.1, "decay_ratio": 0.2},
            {0.05: 0.5, 0.1: 1, 0.8: 1, 0.9: 0.5, 0.95: 0.25, 1.0: 0},
        ),
        ({"schedule": "wsd", "warmup_ratio": 0.0, "decay_ratio": 0.0}, {0.0: 1, 0.99: 1, 1.0: 1}),
        ({"schedule": "wsd", "warmup_ratio": 0.5, "decay_ratio": 1.0}, {0.25: 0.5, 0.5: 1, 0.75: 0.5, 1.0: 0}),
        (
            {"schedule": "wsd", "warmup_ratio": 0.0, "decay_ratio": 0.5, "decay_shape": "1-sqrt"},
            {0.5: 1, 0.5 + 0.5 * 0.04: 0.8, 0.5 + 0.5 * 0.25: 0.5, 1.0: 0},
        ),
        ({"schedule": "linear", "warmup_ratio": 0.0, "decay_shape": "1-sqrt"}, {0.0: 1, 0.25: 0.75, 1.0: 0}),
    ],
)
def test_schedule_by_hand(options, expected):
    factor = schedule(ScheduleOptions(**options))
    assert {progress: factor(progress) for progress in expected} == pytest.approx(expected)


@given(
    st.builds(
        ScheduleOptions,
        schedule=st.sampled_from(["cosine", "linear", "constant", "wsd"]),
        warmup_ratio=st.floats(0, 1, exclude_max=True),
        decay_ratio=st.floats(0, 1),
        decay_shape=st.sampled_from(["linear", "1-sqrt"]),
        final_lr_ratio=st.floats(0, 1),
    ),
    st.lists(st.floats(0, 1), min_size=2, max_size=20),
)
def test_schedule_is_a_share_that_rises_and_then_never_does(options, progresses):
    factor = schedule(options)
    factors = [factor(progress) for progress in sorted(progresses)]
    assert all(math.isfinite(value) and 0 <= value <= 1 for value in factors)
    after = [factor(progress) for progress in sorted(progresses) if progress >= options.warmup_ratio]
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(after))


@pytest.mark.parametrize("shape", ["linear", "cosine", "wsd"])
@pytest.mark.parametrize("steps", [1, 7, 2000])
def test_falling_schedules_end_next_to_zero(shape, steps):
    # The engine asks for the middle of a step: half a step before the end there is half a step's fall left.
    last = schedule(ScheduleOptions(schedule=shape))((steps - 0.5) / steps)
    assert last <= 0.5 / steps / 0.3 + 1e-12 or steps == 1
    assert schedule(ScheduleOptions(schedule=shape))(1.0) == pytest.approx(0.0, abs=1e-12)


def test_the_first_step_moves():
    factor = schedule(ScheduleOptions(warmup_ratio=0.5))
    assert factor(0.5 / 100) > 0


def test_steps_of_a_run_by_hand():
    # Four steps, the first of them warm-up, linear to 0: the engine asks for the middle of each step.
    factor = schedule(ScheduleOptions(schedule="linear", warmup_ratio=0.25))
    assert [factor((step + 0.5) / 4) for step in range(4)] == pytest.approx([0.5, 5 / 6, 3 / 6, 1 / 6])


ROLES = ("vector", "matrix", "embedding", "experts", "head")


def groups_of(**options):
    parameters = [NamedParameter(name=role, role=role, parameter=torch.nn.Parameter(torch.zeros(2))) for role in ROLES]
    groups = parameter_groups(OptimizerOptions(**options), parameters)
    by_parameter = {id(parameter): group for group in groups for parameter in group["params"]}
    return {each.role: by_parameter[id(each.parameter)] for each in parameters}


def test_a_group_for_each_role_with_its_ratio_of_the_rate():
    ratios = {"embedding_lr_ratio": 2.0, "head_lr_ratio": 3.0, "experts_lr_ratio": 4.0, "vector_lr_ratio": 0.0}
    found = groups_of(lr=0.5, weight_decay=0.25, **ratios)
    assert {role: group["lr"] for role, group in found.items()} == {
        "matrix": 0.5, "embedding": 1.0, "head": 1.5, "experts": 2.0, "vector": 0.0
    }  # fmt: skip


def test_weight_decay_is_for_what_multiplies():
    decays = {role: group["weight_decay"] for role, group in groups_of(weight_decay=0.25).items()}
    assert decays == {"matrix": 0.25, "experts": 0.25, "head": 0.25, "embedding": 0.0, "vector": 0.0}


def test_an_optimizer_that_averages_by_itself_has_the_rates_alone():
    parameters = [NamedParameter(name="head", role="head", parameter=torch.nn.Parameter(torch.zeros(2)))]
    (group,) = parameter_groups(RateOptions(lr=0.5, head_lr_ratio=2.0), parameters)
    assert group.keys() == {"params", "lr", "weight_decay"} and group["lr"] == 1.0


def test_groups_hang_on_the_parameters_alone():
    assert len({id(group) for group in groups_of(lr=1.0, weight_decay=0.0).values()}) == len(ROLES)
    assert parameter_groups(OptimizerOptions(), []) == []
