"""A run's folder: its lines, its lock, and the names it takes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pentad import Recipe
from pentad.config.stages import STAGES
from pentad.runs.folder import RunDirectory, new_run_path, refuse_used
from pentad.system.json_lines import read_lines
from pentad.testing import raises_code


@pytest.fixture
def directory(tmp_path):
    return RunDirectory(tmp_path)


def test_lines_are_read_as_far_as_they_are_whole(directory):
    directory.append("metrics.jsonl", {"step": 1, "text": "é\u2028\n"}, {"step": 2})
    with (directory.path / "metrics.jsonl").open("ab") as file:
        file.write(b'[1]\n\xff\n{"step": 3, "lo')
    assert directory.lines("metrics.jsonl") == [{"step": 1, "text": "é\u2028\n"}, {"step": 2}]
    assert read_lines(directory.path / "gone") == []


def test_a_run_is_cut_back_to_a_step(directory):
    steps = [{"step": step} for step in (1, 2, 3)]
    odd = [{"step": "2"}, {"step": None}, {}]
    directory.append("metrics.jsonl", *steps[:2], {"step": 2, "final": True}, *odd, steps[2])
    directory.cut_back(2, keep_final=True)
    assert directory.lines("metrics.jsonl") == [*steps[:2], {"step": 2, "final": True}]
    directory.cut_back(2, keep_final=False)
    assert directory.lines("metrics.jsonl") == steps[:2]
    assert (directory.path / "samples.jsonl").read_text() == ""


def test_a_run_is_complete_once_it_is_sealed(directory):
    directory.append("metrics.jsonl", {"kind": "end", "step": 8})
    (directory.path / "samples.jsonl").write_bytes(b"\xff" * 100)  # whatever it holds
    assert not directory.is_scored(8) and not directory.is_sealed()
    directory.seal(8, "")
    assert directory.is_scored(8) and not directory.is_scored(4) and directory.is_sealed()


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.jsonl"])
def test_an_edited_figure_breaks_the_seal(directory, name):
    for each in ("metrics.jsonl", "samples.jsonl"):
        directory.append(each, {"step": 8, "final": True, "bits_per_byte": 2.5})
    directory.seal(8, "")
    path = directory.path / name
    path.write_text(path.read_text().replace("2.5", "1.5"))
    assert not directory.is_sealed()
    path.unlink()
    assert not directory.is_sealed()


def test_one_lock_at_a_time(directory):
    with directory.lock(), raises_code("folder-in-use"), directory.lock():
        pass
    with directory.lock():
        pass


def test_errors_inside_the_lock_are_not_taken_for_its_own(directory):
    with pytest.raises(OSError, match="unrelated"), directory.lock():
        raise OSError(errno.EIO, "unrelated")


@pytest.mark.parametrize(("error", "message"), [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "Permission denied")])
def test_a_folder_that_cannot_be_written(directory, monkeypatch, error, message):
    def fail(*args, **kwargs):
        raise OSError(error, "Permission denied")

    monkeypatch.setattr(os, "open", fail)
    with raises_code("not-writable") as caught:
        directory.append("metrics.jsonl", {})
    assert message in caught.value.message
    with raises_code("not-writable"), directory.lock():
        pass


def test_names_below_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(3):
        new_run_path("pentad-gpt:gpt").mkdir(parents=True)
    names = sorted(path.name for path in Path("runs").iterdir())
    assert len(names) == 3 and all("gpt" in name and ":" not in name for name in names)


def test_used_folders(tmp_path):
    refuse_used(tmp_path / "new")
    refuse_used(tmp_path)
    (tmp_path / "x").write_text("")
    for path in (tmp_path, tmp_path / "x"):
        with raises_code("folder-taken") as caught:
            refuse_used(path)
        assert "resume" not in caught.value.hint
    (tmp_path / "engine.json").write_text("{}")
    with raises_code("folder-taken") as caught:
        refuse_used(tmp_path)
    assert f"engine resume {tmp_path}" in caught.value.hint


def test_the_folder_in_a_hint_is_quoted(tmp_path, monkeypatch):
    """What is hinted at can be pasted into a shell."""
    run = tmp_path / "my run[1]"
    run.mkdir()
    (run / "engine.json").write_text("{}")
    with raises_code("folder-taken") as used:
        refuse_used(run)

    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", fail)
    with raises_code("not-writable") as full:
        RunDirectory(run).append("metrics.jsonl", {})
    for hint in (used.value.hint, full.value.hint):
        assert f"engine resume '{run}'" in hint


def test_a_folder_that_cannot_be_listed_or_whose_recipe_cannot_be_written(directory, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "listdir", fail)
    monkeypatch.setattr(os, "scandir", fail)
    monkeypatch.setattr(os, "open", fail)
    with raises_code("not-writable") as caught:
        refuse_used(directory.path)
    assert caught.value.hint.startswith("Mount the disk for writing")
    with raises_code("not-writable"):
        directory.write_recipe(Recipe(data="x.txt", **dict.fromkeys(STAGES, "x")))
