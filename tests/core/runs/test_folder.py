"""A run's folder: its lines, its lock, and the names it takes."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from pentad import Catalogue
from pentad.runs.folder import RunDirectory, new_run_path, read_lines, refuse_used
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


def test_the_end_of_a_run_is_known_by_its_last_line(directory):
    directory.append("metrics.jsonl", {"kind": "evaluation", "step": 4, "final": True}, {"kind": "end", "step": 8})
    assert directory.is_scored(8) and not directory.is_scored(4)


def test_facts_have_their_types(directory):
    facts = {"a": {"b": 1, "c": 1.5, "d": True, "e": "x"}, "inf": float("inf")}
    (directory.path / "engine.json").write_text(json.dumps(facts))
    assert directory.fact(int, "a", "b") == 1 and directory.fact(float, "a", "c") == 1.5 and directory.fact(bool, "a", "d")
    assert type(directory.fact(float, "a", "b")) is float
    wrong = [(int, ("a", "d")), (int, ("a", "c")), (str, ("a",)), (str, ("a", "e", "f")), (float, ("inf",)), (str, ("z",))]
    for kind, keys in wrong:
        with raises_code("run-damaged") as caught:
            directory.fact(kind, *keys)
        assert f"{'.'.join(keys)} as {kind.__name__}" in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "is damaged: it has no recipe.toml"),
        ("sampler = 5", "sampler must be a table, found 5"),
        ("[sampler]\nk = 3\n", "names no"),
        ("[[sampler]]\n", "sampler must be a table"),
        ("[sampler\n", "is not valid TOML"),
        ("[data]\nsources = 5\n[training]\nsteps = 'x'\n", "names no"),
    ],
)
def test_a_damaged_recipe_is_the_runs(text, words, directory):
    if text is not None:
        (directory.path / "recipe.toml").write_text(text)
    with raises_code("run-damaged") as caught:
        directory.recipe()
    assert words in caught.value.message
    assert str(directory.path) in caught.value.message
    assert "--" not in caught.value.message + caught.value.hint


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

    monkeypatch.setattr(Path, "open", fail)
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


@pytest.mark.parametrize(
    ("distribution", "version"),
    [("../../x", "0.1.0"), ("x --index-url=http://y", "1"), ("x", "1; rm -r ~"), ("-r", "1"), ("x", "")],
)
def test_no_hint_repeats_what_a_stranger_calls_a_distribution(directory, distribution, version):
    stage = {"distribution": distribution, "version": version, "name": "gpt"}
    (directory.path / "engine.json").write_text(json.dumps({"stages": {"model": stage}}))
    with raises_code("run-damaged") as caught:
        directory.maker("model", Catalogue(entry_points=[]))
    assert caught.value.hint == "Use a copy of the run."


@pytest.mark.parametrize(
    ("distribution", "version", "hint"),
    [
        ("pentad-x", "0.1.0", "pip install pentad-x==0.1.0"),
        ("./my model.py", "unpackaged", "Say --plugin './my model.py'"),
    ],
)
def test_what_made_a_stage_is_named(directory, distribution, version, hint):
    stage = {"distribution": distribution, "version": version, "name": "gpt"}
    (directory.path / "engine.json").write_text(json.dumps({"stages": {"model": stage}}))
    with raises_code("maker-missing") as caught:
        directory.maker("model", Catalogue(entry_points=[]))
    assert caught.value.hint == hint


def test_the_folder_in_a_hint_is_quoted(tmp_path, monkeypatch):
    """What is hinted at can be pasted into a shell."""
    run = tmp_path / "my run[1]"
    run.mkdir()
    (run / "engine.json").write_text("{}")
    with raises_code("folder-taken") as used:
        refuse_used(run)

    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", fail)
    with raises_code("not-writable") as full:
        RunDirectory(run).append("metrics.jsonl", {})
    for hint in (used.value.hint, full.value.hint):
        assert f"engine resume '{run}'" in hint
