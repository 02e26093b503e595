"""Runs through the public doors after something went wrong: a stranger's folder, a lost disk, a divergence, a killed set-up."""

from __future__ import annotations

import errno
import os
import shutil
import warnings

import pytest
import torch

from pentad import Choice, RunObserver, open_run, resume, run
from pentad.runs.folder import RunDirectory
from pentad.runs.newest import list_checkpoints
from pentad.system.json_lines import read_lines
from pentad.testing import raises_code

DOORS = (open_run, resume, lambda path: resume(path, steps=99))


@pytest.fixture(autouse=True)
def _cache(cache):
    """Keep what every test here makes of its text in the cache of the session."""


@pytest.fixture(scope="module")
def original(tmp_path_factory, cache, tiny_recipe):
    """Train a run of 8 steps with checkpoints of the last three."""
    folder = tmp_path_factory.mktemp("original")
    (folder / "text.txt").write_text("".join(f"{number} cats sat on mat {number * 7 % 13}.\n\n" for number in range(60)))
    run(tiny_recipe(folder / "text.txt", reporting={"checkpoint_seconds": 1e-9}), out=folder / "run")
    return folder / "run"


@pytest.fixture
def trained(original, tmp_path):
    return shutil.copytree(original, tmp_path / "run")


def content(folder):
    """Return every file below a folder with its bytes, and what else is there."""
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() and not path.is_symlink() else path.is_symlink()
        for path in folder.rglob("*")
    }


PLANTED = [
    ".lock",
    ".recipe.toml.part",
    ".metrics.jsonl.0a1b2c3d.part",
    "recipe.toml",
    "engine.json",
    "latest.json",
    "result.json",
    "metrics.jsonl",
    "samples.jsonl",
    "tokenizer/more.json",
    "checkpoints/step-8",
    "checkpoints/step-7.0a1b2c3d.part",
    "checkpoints/step-8/model.safetensors",
]


@pytest.mark.parametrize("name", PLANTED)
def test_a_link_in_a_strangers_run_is_refused_and_never_followed(trained, tmp_path, name):
    mine = tmp_path / "mine"
    path = trained / name
    if path.exists():
        path.rename(mine)  # a link to what would do
    else:
        mine.write_text("mine")
    path.symlink_to(mine)
    before = content(tmp_path)
    for door in DOORS:
        with raises_code("not-a-plain-file") as caught:
            door(trained)
        assert str(path) in caught.value.message and "found a link" in caught.value.message
    assert content(tmp_path) == before


def test_a_folder_of_checkpoints_behind_a_link_is_refused_and_not_swept(trained, tmp_path):
    (trained / "checkpoints").rename(tmp_path / "mine")
    (tmp_path / "mine/letter.part").write_text("mine")
    (trained / "checkpoints").symlink_to(tmp_path / "mine")
    before = content(tmp_path)
    for door in DOORS:
        with raises_code("not-a-plain-file"):
            door(trained)
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", [".lock", "recipe.toml", "metrics.jsonl", "checkpoints/step-8/state.json"])
def test_a_pipe_in_a_strangers_run_is_not_waited_for(trained, name):
    (trained / name).unlink()
    os.mkfifo(trained / name)
    for door in DOORS:
        with raises_code("not-a-plain-file"):
            door(trained)


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
@pytest.mark.parametrize("complete", [True, False])
def test_a_run_whose_checkpoints_are_gone_is_not_begun_again(trained, left, complete):
    shutil.rmtree(trained / "checkpoints")
    if left == "an empty folder":
        (trained / "checkpoints").mkdir()
    if not complete:
        (trained / "result.json").unlink()
    before = content(trained)
    for door in DOORS:
        with raises_code("checkpoints-missing"):
            door(trained)
    assert content(trained) == before


def test_an_older_checkpoint_is_used_with_a_warning_and_not_at_all_if_strict(trained):
    (trained / "checkpoints/step-8/model.safetensors").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"step-8.* is damaged.*Using the checkpoint of step 7 instead"):
        assert open_run(trained).step == 7
    with raises_code("newest-checkpoint-damaged") as caught:
        open_run(trained, strict=True)
    assert "step-8" in caught.value.message and "step 7" in caught.value.message


def test_damage_to_the_optimizers_file_is_no_matter_to_generation(trained):
    (trained / "checkpoints/step-8/optimizer.safetensors").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_run(trained, strict=True).step == 8


def test_an_end_that_is_passed_is_refused_and_nothing_is_written(trained):
    before = content(trained)
    for end in ({"steps": 5}, {"budget": "1e-3s"}):
        with raises_code("end-passed"):
            resume(trained, **end)
    assert content(trained) == before


def test_a_score_that_is_no_number_is_an_error(trained):
    saved = open_run(trained)
    next(saved.model.parameters()).data.fill_(torch.nan)
    with raises_code("score-not-finite"):
        saved.evaluate()


def test_a_run_that_diverged_goes_on_with_another_learning_rate(text, tmp_path, tiny_recipe):
    trained = tmp_path / "run"
    run(tiny_recipe(text), out=trained)
    with raises_code("diverged") as caught:
        resume(trained, steps=12, optimizer={"lr": 1e30, "warmup_ratio": 0.0})
    assert caught.value.hint.endswith(f"engine resume {trained} --optimizer.lr X") and "step 8" in caught.value.hint
    assert list_checkpoints(trained)[0] == 8  # the last good one stands
    assert resume(trained, steps=12, optimizer={"lr": 1e-4}).step == 12
    changes = [line for line in read_lines(trained / "metrics.jsonl") if line["kind"] == "change"]
    assert [(line["step"], line["optimizer"]["lr"]["to"]) for line in changes] == [(8, 1e30), (8, 1e-4)]
    assert open_run(trained).recipe.choice("optimizer").options["lr"] == 1e-4
    with raises_code("unknown-option"):
        resume(trained, steps=13, optimizer={"colour": 1})


def test_a_changed_rate_holds_and_what_else_was_saved_stays(text, tmp_path, tiny_recipe):
    """The same as if the recipe had said so from the start, where the rate was 0 until then."""
    optimizer = Choice("adamw", lr=1e-3, schedule="constant", warmup_ratio=0.0)
    run(tiny_recipe(text, steps=3, optimizer=optimizer), out=tmp_path / "run")
    rates = []

    class Rates(RunObserver):
        def on_step(self, event):
            rates.append(event.learning_rate)

    copy = shutil.copytree(tmp_path / "run", tmp_path / "copy")
    plain = resume(tmp_path / "run", steps=5).bits_per_byte
    changed = resume(copy, steps=5, optimizer={"lr": 0.1}).bits_per_byte
    assert changed != plain
    again = shutil.copytree(tmp_path / "run", tmp_path / "again")
    assert resume(again, steps=6, optimizer={"lr": 1e-3}).step == 6  # no change
    assert not [line for line in read_lines(again / "metrics.jsonl") if line["kind"] == "change"]


def test_a_run_goes_on_with_other_machine_options_and_says_so(text, tmp_path, tiny_recipe):
    """One that was told to train on a GPU goes on where there is none."""
    run(tiny_recipe(text, steps=3), out=tmp_path / "run")
    there = tmp_path / "run" / "recipe.toml"
    there.write_text(there.read_text().replace('device = "cpu"', 'device = "mps"'))
    with raises_code("device-missing"):
        resume(tmp_path / "run", steps=4)
    assert resume(tmp_path / "run", steps=4, machine={"device": "cpu", "compile": "off"}).step == 4
    changes = [line for line in read_lines(tmp_path / "run" / "metrics.jsonl") if line["kind"] == "change"]
    assert [line["machine"]["device"] for line in changes] == [{"from": "mps", "to": "cpu"}]
    assert open_run(tmp_path / "run").recipe.machine.device == "cpu"
    with raises_code("unknown-option"):
        resume(tmp_path / "run", steps=5, machine={"colour": 1})


# --- a set-up that failed, and a cache that goes


def test_a_set_up_that_failed_leaves_nothing(text, tmp_path, tiny_recipe, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "new", tmp_path / "empty"):
        existed = folder.exists()
        with monkeypatch.context() as patched:
            patched.setattr(RunDirectory, "write_recipe", full)
            with raises_code("not-writable") as caught:
                run(tiny_recipe(text, steps=1), out=folder)
        assert "resume" not in caught.value.hint
        assert folder.exists() == existed and (not existed or not list(folder.iterdir()))
        assert run(tiny_recipe(text, steps=1), out=folder).step == 1


def test_a_set_up_that_was_killed_is_taken_over(text, tmp_path, tiny_recipe, killed_at):
    """At every other call that writes, and every third of what is left is tried."""

    class Here(RunObserver):
        def on_start(self, event):
            os._exit(0)  # the set-up is over

    recipe = tiny_recipe(text, steps=1)
    run(recipe, out=tmp_path / "first")  # its tokenizer and its shards are in the cache from now on
    taken, count = 0, 1
    while killed_at(count, lambda: run(recipe, out=tmp_path / str(count), observers=[Here()])):
        folder = tmp_path / str(count)
        left = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if left and "engine.json" not in left:
            taken += 1
            if taken % 3 == 1:
                assert run(recipe, out=folder).step == 1
                assert ".setting-up" not in {path.name for path in folder.iterdir()}
        count += 2
    assert taken > 5


def test_what_somebody_put_there_is_not_taken_for_a_set_up(text, tmp_path, tiny_recipe):
    for name in (".setting-up", "tokenizer", "thesis.txt"):
        (tmp_path / "out" / name).mkdir(parents=True)
    with raises_code("folder-taken"):
        run(tiny_recipe(text, steps=1), out=tmp_path / "out")


@pytest.mark.parametrize("event", ["on_preparation", "on_start", "on_step"])
def test_the_cache_may_be_deleted_at_any_time(text, tmp_path, tiny_recipe, monkeypatch, event):
    monkeypatch.setenv("PENTAD_CACHE", str(tmp_path / "cache"))

    seen = set()

    def delete(self, event):
        if getattr(event, "what", None) not in seen:  # once while each part is prepared
            seen.add(getattr(event, "what", None))
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)

    class Deletes(RunObserver):
        pass

    setattr(Deletes, event, delete)
    result = run(tiny_recipe(text, steps=3), out=tmp_path / "run", observers=[Deletes()])
    assert result.step == 3 and resume(tmp_path / "run", steps=4, observers=[Deletes()]).step == 4
