from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pentad_cli.charts.spread import spread


@given(wanted=st.lists(st.floats(0, 300), min_size=1, max_size=18))
def test_boxes_keep_order_distance_and_bounds(wanted: list[float]) -> None:
    wanted = sorted(wanted)
    found = spread(wanted, [16.0] * len(wanted), 0, 300)
    assert all(after - before >= 16 - 1e-6 for before, after in itertools.pairwise(found))
    assert found[0] >= 8 - 1e-6
    assert found[-1] <= 292 + 1e-6


def test_boxes_with_room_stay_where_they_are_wanted() -> None:
    assert spread([20, 100, 200], [16, 16, 16], 0, 300) == [20, 100, 200]
    assert spread([100, 100], [16, 16], 0, 300) == [92, 108]
