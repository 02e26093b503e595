"""What a run goes on from: "there never was a checkpoint" is told from "it cannot be found"."""

from __future__ import annotations

import json
import os
import shutil
import threading

import pytest
import torch

from pentad import Optimization
from pentad.runs.checkpoint import TrainingState
from pentad.runs.newest import LATEST, Newest, latest_step, list_checkpoints, newest_checkpoint
from pentad.runs.records import seal_result
from pentad.runs.saving import save_checkpoint
from pentad.testing import raises_code


@pytest.fixture
def save(fakes, tmp_path):
    """Return a function that saves a checkpoint of a step into `tmp_path`."""
    model = fakes.Tiny()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def save(step, keep=9):
        state = TrainingState(step=step, seconds=1.5, tokens=64, steps=9, tokenizer="abc")
        return save_checkpoint(tmp_path, state, model, Optimization(optimizers=[optimizer]), keep)

    return save


def test_before_the_first_checkpoint_there_is_none(tmp_path):
    assert list_checkpoints(tmp_path) == [] and newest_checkpoint(tmp_path) == Newest(None)
    (tmp_path / "checkpoints").mkdir()  # killed while it was written
    (tmp_path / "checkpoints/step-4.0a1b2c3d.part").mkdir()
    assert newest_checkpoint(tmp_path) == Newest(None)


def to_nothing(folder):
    shutil.rmtree(folder)
    folder.symlink_to("gone")


def a_file(folder):
    shutil.rmtree(folder)
    folder.write_text("")


@pytest.mark.parametrize("damage", [to_nothing, a_file])
def test_what_cannot_be_looked_into_is_not_taken_for_nothing(tmp_path, save, damage):
    save(3)
    damage(tmp_path / "checkpoints")
    with raises_code("checkpoints-unreadable"):
        newest_checkpoint(tmp_path)


def test_a_folder_without_rights_is_not_taken_for_nothing(tmp_path, save, monkeypatch):
    """For root no folder is without rights, so the call is made to fail."""
    save(3)

    def denied(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", denied)
    with raises_code("checkpoints-unreadable"):
        list_checkpoints(tmp_path)


@pytest.mark.parametrize("whole", [True, False], ids=["the folder", "what is in it"])
def test_checkpoints_that_were_deleted_are_missed(tmp_path, save, whole):
    save(3)
    save(6)
    shutil.rmtree(tmp_path / "checkpoints")
    if not whole:
        (tmp_path / "checkpoints").mkdir()  # as where a disk is not mounted
    with raises_code("checkpoints-missing") as caught:
        newest_checkpoint(tmp_path)
    assert "step 6" in caught.value.message


def test_a_complete_run_without_checkpoints_is_not_begun_again(tmp_path):
    for name in ("metrics.jsonl", "samples.jsonl"):
        (tmp_path / name).write_text("")
    seal_result(tmp_path, 8, "")
    with raises_code("checkpoints-missing"):
        newest_checkpoint(tmp_path)


def test_a_newest_one_that_is_gone_is_said(tmp_path, save):
    save(3)
    shutil.rmtree(save(6))
    newest = newest_checkpoint(tmp_path)
    assert newest.checkpoint.state.step == 3 and "step 6 is gone" in newest.problems[0]


@pytest.mark.parametrize("text", ["", "[]", '{"step": "6"}', '{"step": -1}', '{"step": true}', json.dumps({"step": 6.0})])
def test_a_damaged_note_is_no_note(tmp_path, save, text):
    save(3)
    assert latest_step(tmp_path) == 3
    (tmp_path / LATEST).write_text(text)
    assert latest_step(tmp_path) == 0 and newest_checkpoint(tmp_path).checkpoint.state.step == 3


def test_damage_to_the_optimizers_file_matters_to_training_alone(tmp_path, save, fakes):
    save(3)
    (save(6) / "optimizer.safetensors").write_bytes(b"")
    assert newest_checkpoint(tmp_path).checkpoint.state.step == 3
    newest = newest_checkpoint(tmp_path, to_train=False)
    assert newest.checkpoint.state.step == 6 and not newest.problems
    newest.checkpoint.restore_model(fakes.Tiny())


def test_a_checkpoint_that_is_removed_after_its_check_can_still_be_loaded(tmp_path, save, fakes):
    save(3)
    checkpoint = newest_checkpoint(tmp_path).checkpoint
    shutil.rmtree(tmp_path / "checkpoints")
    checkpoint.restore_model(fakes.Tiny())
    checkpoint.restore_training_weights(fakes.Tiny())


def test_reading_while_another_saves_finds_no_damage(tmp_path, save):
    save(1)
    done = threading.Event()

    def train():
        for step in range(2, 60):
            save(step, keep=1)
        done.set()

    writer = threading.Thread(target=train)
    writer.start()
    reads = 0
    while not done.is_set() or not reads:
        newest = newest_checkpoint(tmp_path)
        assert newest.checkpoint is not None and not newest.problems
        reads += 1
    writer.join()


@pytest.mark.parametrize("moment", range(1, 8))
def test_a_checkpoint_that_goes_while_it_is_looked_at_is_not_damaged(tmp_path, save, monkeypatch, moment):
    """At the first, second, … file that the reader opens, a newer one is saved and the one before it removed."""
    save(1)
    left, real = [moment], os.open

    def opening(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            save(2, keep=1)
        return real(*args, **kwargs)

    monkeypatch.setattr(os, "open", opening)
    newest = newest_checkpoint(tmp_path)
    assert newest.checkpoint.state.step in (1, 2) and not newest.problems
