"""The index of a run's training text: built once, kept without pickle, and refused where the text is another."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from pentad.testing import raises_code
from pentad_studio.trace.index import is_built, open_index
from pentad_studio.trace.search import trace


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def run(studio, tmp_path):
    shutil.copytree(studio.runs / "tiny", tmp_path / "run")
    return tmp_path / "run"


def test_it_is_built_once_and_memory_mapped(run, catalogue, cache):
    told: list[str] = []
    assert not is_built(run)
    first = open_index(run, catalogue, told.append)
    assert told and is_built(run)
    again = open_index(run, catalogue, lambda what: pytest.fail("built again"))
    assert isinstance(again.text, np.memmap) and isinstance(again.suffixes, np.memmap)
    assert np.array_equal(first.suffixes, again.suffixes)
    (passage,) = trace(again, "12 bottles of beer on the wall.\n13 bottles", 30).passages
    assert passage.count == 1


FILES = ("text.bin", "suffixes.npy", "documents.npy", "digest.json")


@pytest.mark.parametrize("name", FILES)
def test_one_that_is_damaged_is_built_again(run, catalogue, cache, name):
    sound = np.array(open_index(run, catalogue).suffixes)
    (folder,) = (path for path in (cache / "suffix-arrays").iterdir() if path.is_dir())
    content = (folder / name).read_bytes()
    flipped = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    for damage in (b"", b"short", content[: len(content) // 2], content + b"x", flipped, b"PK\x03\x04"):
        (folder / name).write_bytes(damage)
        assert not is_built(run)
        assert np.array_equal(open_index(run, catalogue).suffixes, sound)
        assert is_built(run)


@pytest.mark.parametrize("name", FILES)
def test_one_with_a_link_or_a_pipe_is_built_again_and_the_target_stays(run, catalogue, cache, tmp_path, name):
    open_index(run, catalogue)
    (folder,) = (path for path in (cache / "suffix-arrays").iterdir() if path.is_dir())
    for plant in (lambda path: path.symlink_to(tmp_path / "target"), os.mkfifo):
        (tmp_path / "target").write_text("mine")
        (folder / name).unlink()
        plant(folder / name)
        open_index(run, catalogue)
        assert is_built(run) and (tmp_path / "target").read_text() == "mine"


def test_an_array_of_objects_is_not_read(run, catalogue, cache):
    open_index(run, catalogue)
    (folder,) = (path for path in (cache / "suffix-arrays").iterdir() if path.is_dir())
    np.save(folder / "suffixes.npy", np.array([print], dtype=object), allow_pickle=True)
    assert not is_built(run)


def test_a_text_that_has_changed_is_said(run, catalogue, cache, tmp_path):
    recipe, text = run / "recipe.toml", tmp_path / "other.txt"
    text.write_text("Something else. " * 500)
    lines = recipe.read_text().splitlines()
    place = next(number for number, line in enumerate(lines) if "bottles.txt" in line)
    lines[place] = f'    "{text}",'
    recipe.write_text("\n".join(lines) + "\n")
    with raises_code("text-changed"):
        open_index(run, catalogue)


def test_a_fingerprint_that_is_a_path_is_refused(run, catalogue, cache):
    engine = run / "engine.json"
    fingerprint = engine.read_text().split('"fingerprint": "')[1].split('"')[0]
    engine.write_text(engine.read_text().replace(fingerprint, "../../elsewhere"))
    with raises_code("run-damaged"):
        open_index(run, catalogue)
