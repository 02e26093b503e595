"""The page's table and flags are those of the code; its commands are tested with the finder and the guard."""

from __future__ import annotations

import re

import pytest

from pentad import Catalogue
from pentad.config.options import describe

ROW = re.compile(r"^\| `([a-z-]+)` \| .* \| ([\d.]+) \| .* \| .* \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "optimizers.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def offers():
    catalogue = Catalogue()
    return {offer.name: offer for offer in catalogue.offers("optimizer")}


def test_the_table_has_every_optimizer_with_its_rate(page, offers):
    defaults = {name: offer.options().lr for name, offer in offers.items()}
    assert {name: float(rate) for name, rate in ROW.findall(page)} == defaults


def test_its_options_are_options_of_every_optimizer(page, offers):
    named = {flag.replace("-", "_") for flag in re.findall(r"--optimizer\.([a-z-]+)", page)}
    assert len(named) > 8
    for offer in offers.values():
        assert named <= {spec.name for spec in describe(offer.options)}


def test_what_it_says_of_every_optimizer_but_one_is_so(page, offers):
    for name in ("cautious_weight_decay", "weight_decay_schedule", "average"):
        assert f"`{name}" in page
        without = {key for key, offer in offers.items() if name not in {spec.name for spec in describe(offer.options)}}
        assert without == {"schedule-free"}


def test_the_guard_has_what_the_page_says(page):
    options = {spec.name: spec.default for spec in describe(Catalogue().find("observer", "spike-guard").options)}
    assert (options["window"], options["deviations"], options["wait"], options["most"]) == (50, 6.0, 20, 5)
    assert {flag.replace("-", "_") for flag in re.findall(r"--spike-guard\.([a-z-]+)", page)} <= options.keys()
