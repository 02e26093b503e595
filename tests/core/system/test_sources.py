"""Code that changes is told from what it was, also where its version stays."""

from __future__ import annotations

import functools
import multiprocessing

from pentad import Catalogue
from pentad.system.sources import source_digest, sources_of

MINE = """
from pentad import Implementation, Sampler, hookimpl

class Mine(Sampler):
    number = 1

@hookimpl
def engine_samplers():
    return [Implementation(name="mine", summary="", factory=Mine)]
"""


def found(path):
    return Catalogue([path]).find("sampler", "mine").fingerprint


def fingerprint(path):
    """Return it as another process finds it: one process keeps the code that it loaded."""
    with multiprocessing.get_context("fork").Pool(1) as process:
        return process.apply(found, [path])


def test_an_edited_plugin_file_is_another(tmp_path):
    path = tmp_path / "mine_edited.py"
    path.write_text(MINE)
    before = fingerprint(path)
    assert before == fingerprint(path) and before.startswith(f"{path} unpackaged ")
    path.write_text(MINE.replace("number = 1", "number = 2"))
    assert fingerprint(path) != before


def test_a_package_is_all_of_its_files(tmp_path, monkeypatch):
    package = tmp_path / "packaged_by_test" / "deep"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "code.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    before = sources_of("packaged_by_test.deep.code:x")
    assert before == source_digest("packaged_by_test.deep.code") != ""
    (package / "code.py").write_text("x = 2")
    source_digest.cache_clear()
    assert sources_of("packaged_by_test:x") != before
    (package / "code.py").rename(package / "moved.py")
    after = source_digest("packaged_by_test")
    source_digest.cache_clear()
    assert source_digest("packaged_by_test") != after


def test_every_offer_that_is_installed_has_sources():
    catalogue = Catalogue()
    for kind in ("tokenizer", "model", "optimizer", "sampler", "builder"):
        for offer in catalogue.offers(kind):
            distribution, version, digest = offer.fingerprint.split(" ")
            assert (distribution, version, len(digest)) == (offer.distribution, offer.version, 16)


def test_what_has_no_files_has_no_digest():
    assert sources_of(functools.partial(len)) == source_digest("no_such_module_anywhere") == ""
