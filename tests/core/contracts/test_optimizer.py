from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentad import ScheduleOptions, schedule


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


def test_the_first_step_moves():
    factor = schedule(ScheduleOptions(warmup_ratio=0.5))
    assert factor(0.5 / 100) > 0


def test_steps_of_a_run_by_hand():
    # Four steps, the first of them warm-up, linear to 0: the engine asks for the middle of each step.
    factor = schedule(ScheduleOptions(schedule="linear", warmup_ratio=0.25))
    assert [factor((step + 0.5) / 4) for step in range(4)] == pytest.approx([0.5, 5 / 6, 3 / 6, 1 / 6])
