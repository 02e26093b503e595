"""Installed plugins are found as `importlib.metadata` finds them, without importing it."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import shutil
import subprocess
import sys
import types
import zipfile

import pytest

from pentad.system.entry_points import EntryPoint, entry_points_of
from pentad.testing import raises_code

GROUP = "test_group"


@pytest.fixture
def sites(tmp_path, monkeypatch):
    """Return two folders that stand first on the path of imports."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in reversed(folders):
        folder.mkdir()
        monkeypatch.syspath_prepend(str(folder))
    return folders


def install(site, folder="acme_tools-1.0.dist-info", entries="one = acme", head="Name: acme-tools\nVersion: 1.0\n"):
    place = site / folder
    place.mkdir()
    (place / ("PKG-INFO" if folder.endswith(".egg-info") else "METADATA")).write_text(f"Metadata-Version: 2.1\n{head}\ntext")
    (place / "entry_points.txt").write_text(f"[other]\nx = y\n\n[{GROUP}]\n# a remark = z\n{entries}\n[more]\na = b\n")
    return place


def by_the_library(group=GROUP):
    found = importlib.metadata.entry_points(group=group)
    return sorted((point.dist.metadata["Name"], point.dist.version, point.value) for point in found)


@pytest.mark.parametrize("group", ["pentad", "console_scripts", "pytest11"])
def test_what_is_installed_is_found_as_the_library_finds_it(group):
    assert sorted(entry_points_of(group)) == by_the_library(group) != []


def test_the_first_distribution_of_a_name_counts(sites):
    install(sites[0])
    install(sites[1], "Acme.Tools-2.0.dist-info", head="Name: Acme.Tools\nVersion: 2.0\n")
    install(sites[1], "zoo-3.dist-info", "b = zoo.b\na=zoo.a:attribute.deep [extra]", head="Name: zoo\nVersion: 3\n")
    install(sites[1], "old-4.egg-info", "c = old", head="Name: old\nVersion: 4\n")
    found = entry_points_of(GROUP)
    assert sorted(found) == by_the_library()
    assert found == [
        ("acme-tools", "1.0", "acme"),
        ("old", "4", "old"),
        ("zoo", "3", "zoo.b"),
        ("zoo", "3", "zoo.a:attribute.deep [extra]"),
    ]


def test_a_distribution_that_lost_its_metadata_is_called_by_its_folder(sites):
    (install(sites[0]) / "METADATA").unlink()
    assert entry_points_of(GROUP) == [("acme_tools", "unknown", "acme")]


def test_folders_that_are_not_there_and_other_files_are_passed_over(sites, monkeypatch):
    monkeypatch.setattr(sys, "path", ["/not/there", *sys.path])
    (sites[0] / "flat-1.egg-info").write_text("Name: flat")
    (sites[0] / "empty-1.dist-info").mkdir()
    assert entry_points_of(GROUP) == []


def test_distributions_in_a_zip_file_are_found(sites, monkeypatch):
    place = install(sites[0], "packed-1.0.dist-info", head="Name: packed\nVersion: 1.0\n")
    with zipfile.ZipFile(sites[1] / "packed.zip", "w") as packed:
        for path in place.iterdir():
            packed.write(path, f"{place.name}/{path.name}")
    shutil.rmtree(place)
    monkeypatch.syspath_prepend(str(sites[1] / "packed.zip"))
    assert entry_points_of(GROUP) == by_the_library() == [("packed", "1.0", "acme")]


def test_an_import_hook_may_know_distributions_of_its_own(sites, monkeypatch):
    class Hook:
        @staticmethod
        def find_spec(*args):
            return None

        @staticmethod
        def find_distributions(context=None):
            return [importlib.metadata.Distribution.at(install(sites[0]).rename(sites[0].parent / "acme-1.dist-info"))]

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Hook])
    assert entry_points_of(GROUP) == [("acme-tools", "1.0", "acme")]


def test_a_place_is_a_module_or_something_in_it(monkeypatch):
    module = types.ModuleType("acme_place")
    module.plugin = types.SimpleNamespace(deep=3)
    monkeypatch.setitem(sys.modules, "acme_place", module)
    places = ["acme_place", "acme_place:plugin", "acme_place : plugin.deep [extra]"]
    assert [EntryPoint("a", "1", place).load() for place in places] == [module, module.plugin, 3]
    with pytest.raises(AttributeError):
        EntryPoint("a", "1", "acme_place:gone").load()


def test_the_library_is_not_imported():
    code = "import sys; from pentad import Catalogue; Catalogue(); print('importlib.metadata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_what_cannot_be_read_is_not_passed_over(sites, monkeypatch):
    """A plugin that went missing without a word would change a run: one without its evaluator trained on and scored nothing."""
    install(sites[0])
    real = os.open

    def fail(path, *arguments):
        if str(path).endswith("entry_points.txt") and "acme" in str(path):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", fail)
    with raises_code("plugins-unreadable"):
        entry_points_of(GROUP)
