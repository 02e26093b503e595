"""A front end is what an installed distribution says it is."""

from __future__ import annotations

import types

import pytest

from pentad.config import front_end as module
from pentad.system.entry_points import EntryPoint


@pytest.fixture
def found(monkeypatch):
    """Give what is installed in place of what is."""
    asked = []

    def give(*points):
        monkeypatch.setattr(module, "entry_points_of", lambda group: (asked.append(group), list(points))[1])
        return module.front_end.__wrapped__(), asked

    return give


def test_it_is_the_module_that_the_first_entry_point_names(found):
    front, asked = found(EntryPoint("acme", "1", "types"), EntryPoint("zoo", "1", "nowhere"))
    assert front is types and asked == ["pentad.front_end"]


def test_there_may_be_none(found):
    assert found()[0] is None
