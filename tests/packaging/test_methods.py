"""Each implementation that ships says where its method comes from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pentad import Catalogue, Implementation
from pentad.config.stages import STAGES
from pentad.system.entry_points import entry_points_of

ROOT = Path(__file__).parents[2]

SHIPPED = {path.parent.name for path in ROOT.glob("plugins/*/pentad_*/plugin.py")}

OFFERS = [
    offer
    for names in [{entry.distribution for entry in entry_points_of("pentad") if entry.place.partition(".")[0] in SHIPPED}]
    for stage in STAGES
    for offer in Catalogue().offers(stage)
    if offer.distribution in names
]


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.full_name)
def test_the_source_is_a_work_with_its_year_or_said_to_be_own(offer) -> None:
    source = offer.record.source
    assert source == source.strip() and "\n" not in source
    assert re.match(r"own($|;)", source) or re.search(r"[A-Z]\w+.*, (\d{4}|the library)", source)


def test_all_stages_are_looked_at() -> None:
    assert {offer.kind for offer in OFFERS} == set(STAGES)


def test_it_may_be_left_out() -> None:
    assert Implementation(name="mine", summary="Mine.", factory="mine:Mine").source == ""
