from __future__ import annotations

import re

import pytest

from pentad.config.stages import STAGES
from pentad.registry.catalogue import Catalogue


@pytest.mark.timeout(600)
def test_its_commands_work_in_order(reader, root):
    assert reader.read(root / "README.md") >= 12


def test_the_table_of_stages_names_every_shipped_implementation(root):
    readme = (root / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## Stages")[2].partition("## A short tour")[0]
    shipped = {f"pentad-{path.parent.name}" for path in root.glob("plugins/*/pyproject.toml")}
    offers = [offer for stage in STAGES for offer in Catalogue().offers(stage) if offer.distribution in shipped]
    assert len(offers) >= 15
    missing = [offer.name for offer in offers if f"`{offer.name}`" not in table]
    assert not missing


def test_the_file_tree_is_that_of_the_repository(root):
    readme = (root / "README.md").read_text(encoding="utf-8")
    tree = readme.partition("## The repository")[2]
    named = set(re.findall(r"^(\w+)/ ", tree, re.MULTILINE))
    made = ("runs", "shared", "dist", "build")  # what commands make, as .egg-info, stands in no tree
    folders = {path.parent.name for path in root.glob("*/*") if path.is_file()} | {"plugins"}
    assert named == {name for name in folders if not name.startswith(".") and "." not in name and name not in made}


def test_its_links_lead_somewhere(root):
    pages = [root / "README.md", root / "CONTRIBUTING.md", *root.glob("docs/*.md")]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken
